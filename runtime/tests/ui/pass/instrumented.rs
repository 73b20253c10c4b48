#![deny(warnings)]

use reuse_db::{Source, reuse_db};
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

const MEMORY: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:");

#[reuse_db(source = MEMORY)]
#[tracing::instrument(skip(db), fields(twice = id * 2), err)]
async fn below(id: i64, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select $1").bind(id).fetch_one(db).await
}

#[tracing::instrument(skip_all, err)]
#[reuse_db(source = MEMORY)]
async fn above(id: i64, pool: &SqlitePool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select $1").bind(id).fetch_one(pool).await
}

#[tracing::instrument(ret)]
#[reuse_db(source = MEMORY)]
#[tracing::instrument(skip_all)]
async fn both(_: u8, tx: &mut Transaction<'_, Sqlite>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 7").fetch_one(&mut **tx).await
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    assert_eq!(below(7).await?, 7);
    assert_eq!(above(7).await?, 7);
    assert_eq!(both(7).await?, 7);
    Ok(())
}
