#![deny(warnings)]

use reuse_db::{Source, reuse_db};
use sqlx::SqliteConnection;

const MEMORY: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:");

#[reuse_db(source = MEMORY)]
async fn r#match(r#in: i64, r#type: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select $1 + 1").bind(r#in).fetch_one(r#type).await
}

#[reuse_db(source = MEMORY, with = r#loop)]
async fn r#while(#[db(name = r#STATIC)] db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 7").fetch_one(db).await
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    assert_eq!(r#match(6).await?, 7);
    assert_eq!(r#while().await?, 7);
    assert_eq!(MATCH_TYPE.stats().opened, 1);
    assert_eq!(r#STATIC.stats().reused, 1);
    let _ = (match_with, r#loop);
    Ok(())
}
