#![deny(warnings)]

use std::fmt::Display;

use reuse_db::{Source, reuse_db};
use sqlx::{SqliteConnection, SqlitePool};

const MEMORY: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:");

#[reuse_db(source = MEMORY)]
async fn join(
    parts: impl IntoIterator<Item = impl Display> + Send,
    db: &mut SqliteConnection,
) -> Result<String, sqlx::Error> {
    let parts: Vec<_> = parts.into_iter().map(|part| part.to_string()).collect();
    sqlx::query_scalar("select $1").bind(parts.join("-")).fetch_one(db).await
}

#[reuse_db(source = MEMORY)]
async fn apply(f: &mut impl FnMut(i64), pool: &SqlitePool) -> Result<(), sqlx::Error> {
    f(sqlx::query_scalar("select 7").fetch_one(pool).await?);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    assert_eq!(join([1, 2]).await?, "1-2");
    let mut seen = 0;
    apply(&mut |value| seen = value).await?;
    assert_eq!(seen, 7);
    Ok(())
}
