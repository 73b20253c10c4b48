//! A crate that documents all that it shows.
#![deny(warnings, missing_docs, unused_qualifications, rustdoc::all)]

use reuse_db::{Source, reuse_db};
use sqlx::{SqliteConnection, SqlitePool};

/// Where it connects.
pub const MEMORY: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:");

/// Says seven.
///
/// # Errors
///
/// Those of the database.
#[reuse_db(source = MEMORY)]
pub async fn handler(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 7").fetch_one(db).await
}

#[reuse_db(source = MEMORY)]
#[doc = "Says eight."]
#[doc(alias = "eight")]
pub async fn shared(pool: &SqlitePool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 8").fetch_one(pool).await
}

/// Nobody sees it.
#[doc(hidden)]
#[reuse_db(source = MEMORY)]
pub async fn hidden(pool: SqlitePool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 9").fetch_one(&pool).await
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    assert_eq!(handler().await? + shared().await? + hidden().await?, 24);
    Ok(())
}
