#![deny(warnings)]

use reuse_db::{Source, reuse_db};
use sqlx::SqliteConnection;

const MEMORY: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:");

struct Path<T>(T);

struct Page {
    first: i64,
    size: i64,
}

#[reuse_db(source = MEMORY)]
async fn handler(
    Path(id): Path<i64>,
    Page { first, size: mut limit }: Page,
    (a, (_, b)): (i64, (u8, i64)),
    [head, .., tail]: [i64; 4],
    whole @ 0..=u8::MAX: u8,
    _: String,
    mut db: &mut SqliteConnection,
) -> Result<i64, sqlx::Error> {
    limit += 1;
    let sum = id + first + limit + a + b + head + tail + i64::from(whole);
    let one: i64 = sqlx::query_scalar("select 1").fetch_one(&mut *db).await?;
    let other = &mut *db;
    db = other;
    let all: i64 = sqlx::query_scalar("select $1").bind(sum).fetch_one(db).await?;
    Ok(one + all)
}

#[reuse_db(source = MEMORY)]
async fn unnamed(_: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    Ok(())
}

#[reuse_db(source = MEMORY)]
async fn underscored(__arg0: i64, _db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    Ok(__arg0)
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    let page = Page { first: 2, size: 3 };
    let sum = handler(Path(1), page, (5, (0, 6)), [7, 0, 0, 8], 9, String::new()).await?;
    assert_eq!(sum, 1 + 1 + 2 + 4 + 5 + 6 + 7 + 8 + 9);
    unnamed().await?;
    assert_eq!(underscored(7).await?, 7);
    assert_eq!(UNNAMED_DB.stats().reused + UNDERSCORED_DB.stats().reused, 2);
    Ok(())
}
