#![deny(warnings)]

use reuse_db::{Source, reuse_db};
use sqlx::SqliteConnection;

const MEMORY: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:");

#[must_use = "for nothing else is it called"]
#[reuse_db(source = MEMORY)]
async fn above(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 3").fetch_one(db).await
}

#[reuse_db(source = MEMORY)]
#[must_use = "for nothing else is it called"]
#[deprecated = "call `above`"]
async fn below(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 4").fetch_one(db).await
}

#[deprecated(note = "call `above`")]
#[reuse_db(source = MEMORY)]
#[inline]
#[cold]
async fn old(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 5").fetch_one(db).await
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    #[expect(deprecated)]
    let sum = above().await? + below().await? + old().await?;
    assert_eq!(sum, 12);
    Ok(())
}
