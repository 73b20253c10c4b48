#![deny(warnings)]

use std::fmt::Display;

use reuse_db::{Source, reuse_db};
use sqlx::{Sqlite, SqliteConnection, Transaction};

const MEMORY: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:");

#[reuse_db(source = MEMORY)]
async fn lifetimes<'a, 'b: 'a, 'c, T, const N: usize>(
    first: &'a str,
    rest: &'b [T; N],
    db: &'c mut SqliteConnection,
) -> Result<&'a str, sqlx::Error>
where
    T: Display + Sync,
    'c: 'c,
{
    for one in rest {
        let same: String = sqlx::query_scalar("select $1").bind(one.to_string()).fetch_one(&mut *db).await?;
        assert_eq!(same, one.to_string());
    }
    Ok(first)
}

#[reuse_db(source = MEMORY)]
async fn only_in_the_body<T: Default + Display, const N: i64>(
    db: &mut Transaction<'_, Sqlite>,
) -> Result<String, sqlx::Error> {
    sqlx::query_scalar("select $1 || $2").bind(T::default().to_string()).bind(N).fetch_one(&mut **db).await
}

#[reuse_db(source = MEMORY)]
async fn elided(a: &str, db: &mut SqliteConnection) -> Result<String, sqlx::Error> {
    sqlx::query_scalar("select $1").bind(a).fetch_one(db).await
}

#[reuse_db(source = MEMORY)]
async fn async_function<F>(make: F, db: &mut SqliteConnection) -> Result<i64, sqlx::Error>
where
    F: AsyncFnOnce(i64) -> i64,
{
    let read = sqlx::query_scalar("select 6").fetch_one(db).await?;
    Ok(make(read).await)
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    let first = String::from("first");
    assert_eq!(lifetimes(&first, &[1, 2, 3]).await?, "first");
    assert_eq!(only_in_the_body::<u8, 7>().await?, "07");
    assert_eq!(elided("a").await?, "a");
    assert_eq!(async_function(async |read| read + 1).await?, 7);
    Ok(())
}
