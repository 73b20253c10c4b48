#![deny(warnings)]

use reuse_db::{Source, reuse_db};

type Db = sqlx::SqliteConnection;
type Tx<'c> = sqlx::Transaction<'c, sqlx::Sqlite>;
type Pool = sqlx::Pool<sqlx::Sqlite>;
type Of<D> = <D as sqlx::Database>::Connection;
type Answer<T = i64> = Result<T, sqlx::Error>;

/// Named like a pool, and a connection.
use sqlx::SqliteConnection as OnePool;
/// Named like a connection, and a pool.
use sqlx::SqlitePool as ManyConnection;

const MEMORY: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:");

#[reuse_db(source = MEMORY)]
async fn connection(db: &mut Db) -> Answer {
    sqlx::query_scalar("select 1").fetch_one(db).await
}

#[reuse_db(source = MEMORY)]
async fn transaction(tx: &mut Tx<'_>) -> Answer {
    sqlx::query_scalar("select 2").fetch_one(&mut **tx).await
}

#[reuse_db(source = MEMORY)]
async fn pool(pool: &Pool) -> Answer {
    sqlx::query_scalar("select 3").fetch_one(pool).await
}

#[reuse_db(source = MEMORY)]
async fn projection(db: &mut Of<sqlx::Sqlite>) -> Answer {
    sqlx::query_scalar("select 4").fetch_one(db).await
}

#[reuse_db(source = MEMORY)]
async fn qualified(db: &mut <sqlx::Sqlite as sqlx::Database>::Connection) -> Answer {
    sqlx::query_scalar("select 5").fetch_one(db).await
}

#[reuse_db(source = MEMORY)]
async fn misnamed(#[db] one: &mut OnePool, #[db] many: &ManyConnection) -> Answer {
    let six: i64 = sqlx::query_scalar("select 6").fetch_one(one).await?;
    let seven: i64 = sqlx::query_scalar("select 7").fetch_one(many).await?;
    Ok(six + seven)
}

#[reuse_db(source = MEMORY)]
#[allow(unused_parens)]
async fn in_parentheses(db: (&mut (Db))) -> Answer {
    sqlx::query_scalar("select 8").fetch_one(db).await
}

#[tokio::main]
async fn main() -> Answer<()> {
    assert_eq!(connection().await? + transaction().await? + pool().await?, 6);
    assert_eq!(projection().await? + qualified().await? + misnamed().await?, 22);
    assert_eq!(in_parentheses().await?, 8);
    Ok(())
}
