#![deny(warnings)]

use reuse_db::{Source, reuse_db};
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

const ONE: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:");
const OTHER: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:").keep(1);

#[reuse_db(source = ONE, with = on_databases)]
async fn handler(
    #[db] writer: &mut Transaction<'_, Sqlite>,
    id: i64,
    #[db(source = OTHER)] reader: &mut SqliteConnection,
    #[db(source = OTHER, name = READERS)] pool: &SqlitePool,
    add: i64,
    #[db(name = OWN)] own: SqlitePool,
) -> Result<i64, sqlx::Error> {
    let a: i64 = sqlx::query_scalar("select $1").bind(id).fetch_one(&mut **writer).await?;
    let b: i64 = sqlx::query_scalar("select $1").bind(add).fetch_one(reader).await?;
    let c: i64 = sqlx::query_scalar("select 3").fetch_one(pool).await?;
    let d: i64 = sqlx::query_scalar("select 4").fetch_one(&own).await?;
    Ok(a + b + c + d)
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    assert_eq!(handler(1, 2).await?, 10);
    assert_eq!(HANDLER_WRITER.stats().opened, 1);
    assert_eq!(HANDLER_READER.stats().opened, 1);
    assert_eq!(READERS.stats().opened, 1);
    assert_eq!(OWN.stats().opened, 1);

    let pool = SqlitePool::connect("sqlite::memory:").await?;
    let mut db = pool.acquire().await?;
    let other = SqlitePool::connect("sqlite::memory:").await?;
    let mut writer = other.begin().await?;
    let own = SqlitePool::connect("sqlite::memory:").await?;
    assert_eq!(on_databases(&mut writer, 1, &mut db, &own, 2, own.clone()).await?, 10);
    Ok(())
}
