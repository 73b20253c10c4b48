#![deny(warnings)]

use reuse_db::{Source, reuse_db};
use sqlx::SqliteConnection;

const MEMORY: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:");

#[reuse_db(source = MEMORY)]
async fn handler(
    #[cfg(all())] a: i64,
    #[cfg(any())] a: NoSuchType,
    #[cfg_attr(all(), allow(unused_variables))] b: i64,
    #[allow(unused_variables)] c: i64,
    #[cfg(all())]
    #[cfg(not(any()))]
    d: i64,
    db: &mut SqliteConnection,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select $1 + $2").bind(a).bind(d).fetch_one(db).await
}

#[reuse_db(source = MEMORY)]
#[cfg(any())]
async fn either(_db: &mut NoSuchType) -> Result<i64, sqlx::Error> {
    Ok(0)
}

#[reuse_db(source = MEMORY)]
#[cfg(all())]
async fn either(_db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    Ok(7)
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    assert_eq!(handler(3, 0, 0, 4).await?, 7);
    assert_eq!(either().await?, 7);
    Ok(())
}
