//! reuse-db under another name: `crate = …` says under which.

use kept::{Source, reuse_db};
use sqlx::{Error, SqliteConnection};

/// What an organisation's own crate may look like.
mod platform {
    pub(crate) mod database {
        pub(crate) use kept as reuse_db;
    }
}

const MEMORY: Source = Source::env("DATABASE_URL").or("sqlite::memory:");

/// By the key of the dependency in Cargo.toml.
#[reuse_db(crate = kept, source = MEMORY)]
async fn renamed(number: i64, db: &mut SqliteConnection) -> Result<i64, Error> {
    sqlx::query_scalar("select 2 * $1")
        .bind(number)
        .fetch_one(db)
        .await
}

/// By the path of what a module re-exports.
#[platform::database::reuse_db::reuse_db(crate = crate::platform::database::reuse_db)]
async fn re_exported(
    number: i64,
    #[db(source = MEMORY)] db: &mut SqliteConnection,
) -> Result<i64, Error> {
    sqlx::query_scalar("select 3 * $1")
        .bind(number)
        .fetch_one(db)
        .await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    println!("{} and {}", renamed(21).await?, re_exported(14).await?);
    println!(
        "connections opened: {}",
        RENAMED_DB.stats().opened + RE_EXPORTED_DB.stats().opened
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_share_one_connection() -> Result<(), Error> {
        assert_eq!(renamed(21).await?, re_exported(14).await?);
        assert_eq!(RENAMED_DB.stats().opened, 1);
        assert_eq!(RE_EXPORTED_DB.stats().reused, 1);
        Ok(())
    }
}
