#![deny(warnings, rust_2018_idioms, elided_lifetimes_in_paths, keyword_idents, unsafe_code)]
#![deny(single_use_lifetimes, trivial_casts, unused_lifetimes, unused_results, unused_import_braces)]
#![deny(let_underscore_drop, tail_expr_drop_order, if_let_rescope, rust_2024_prelude_collisions)]

use reuse_db::{Source, reuse_db};
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

const MEMORY: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:");

#[reuse_db(source = MEMORY)]
async fn exclusive(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 7").fetch_one(db).await
}

#[reuse_db(source = MEMORY)]
async fn transaction(id: &str, tx: &mut Transaction<'_, Sqlite>) -> Result<String, sqlx::Error> {
    sqlx::query_scalar("select $1").bind(id).fetch_one(&mut **tx).await
}

#[reuse_db(source = MEMORY)]
async fn borrowed(pool: &SqlitePool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 7").fetch_one(pool).await
}

#[reuse_db(source = MEMORY)]
async fn owned(pool: SqlitePool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 7").fetch_one(&pool).await
}

// Written in an older edition: `async` is a name there, `dyn` is not needed.
macro_rules! older {
    ($name:ident, $gen:ident) => {
        #[reuse_db(source = MEMORY)]
        async fn $name($gen: i64, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
            sqlx::query_scalar("select $1").bind($gen).fetch_one(db).await
        }
    };
}

older!(r#try, r#gen);

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    assert_eq!(exclusive().await?, 7);
    assert_eq!(transaction("id").await?, "id");
    assert_eq!(borrowed().await?, 7);
    assert_eq!(owned().await?, 7);
    assert_eq!(r#try(7).await?, 7);
    Ok(())
}
