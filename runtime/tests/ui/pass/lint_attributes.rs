#![deny(warnings, dead_code, clippy::all, clippy::pedantic)]

use reuse_db::{Source, reuse_db};
use sqlx::SqliteConnection;

const MEMORY: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:");

#[expect(unused_variables, reason = "one is enough")]
#[reuse_db(source = MEMORY)]
async fn above(unused: u8, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 7").fetch_one(db).await
}

#[reuse_db(source = MEMORY)]
#[expect(unused_variables, reason = "one is enough")]
async fn below(unused: u8, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 7").fetch_one(db).await
}

#[reuse_db(source = MEMORY)]
#[expect(dead_code)]
async fn dead(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 7").fetch_one(db).await
}

#[reuse_db(source = MEMORY)]
#[allow(non_snake_case)]
async fn Camel(unUsed: i64, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select $1").bind(unUsed).fetch_one(db).await
}

#[reuse_db(source = MEMORY)]
async fn on_a_parameter(
    #[expect(unused_variables)] unused: u8,
    #[allow(unused_mut)] mut db: &mut SqliteConnection,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 7").fetch_one(&mut *db).await
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    let sum = above(0).await? + below(0).await? + Camel(7).await? + on_a_parameter(0).await?;
    assert_eq!(sum, 28);
    Ok(())
}
