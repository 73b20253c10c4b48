#![deny(warnings, unused_qualifications)]

// The runtime under no name of its own: re-exported by a crate that the user depends on.
mod platform {
    pub mod db {
        pub use reuse_db as runtime;
    }
}

mod reuse_db {}

use platform::db::runtime::Source;
use platform::db::runtime::reuse_db as keeps;
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

const MEMORY: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:");

#[keeps(source = MEMORY, crate = crate::platform::db::runtime)]
async fn exclusive(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 7").fetch_one(db).await
}

#[keeps(source = MEMORY, crate = platform::db::runtime)]
async fn borrowed(pool: &SqlitePool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 7").fetch_one(pool).await
}

mod inner {
    use super::*;

    #[keeps(source = MEMORY, crate = super::platform::db::runtime)]
    pub async fn owned(pool: SqlitePool) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar("select 7").fetch_one(&pool).await
    }

    #[keeps(source = MEMORY, crate = ::reuse_db)]
    pub async fn transaction(tx: &mut Transaction<'_, Sqlite>) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar("select 7").fetch_one(&mut **tx).await
    }
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    assert_eq!(exclusive().await?, 7);
    assert_eq!(borrowed().await?, 7);
    assert_eq!(inner::owned().await?, 7);
    assert_eq!(inner::transaction().await?, 7);
    Ok(())
}
