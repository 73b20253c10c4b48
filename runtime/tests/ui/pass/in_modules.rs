#![deny(warnings)]

mod config {
    use reuse_db::Source;

    pub(crate) const MEMORY: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:");
}

mod api {
    pub(crate) mod users {
        use reuse_db::reuse_db;
        use sqlx::SqliteConnection;

        pub(crate) mod read {
            pub(crate) const FACTOR: i64 = 7;
        }

        /// A module has the function's name.
        #[reuse_db(source = crate::config::MEMORY.keep(1))]
        pub(crate) async fn read(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
            let one: i64 = sqlx::query_scalar("select 1").fetch_one(db).await?;
            Ok(one * read::FACTOR)
        }
    }

    pub(crate) mod orders {
        #[reuse_db::reuse_db(source = super::super::config::MEMORY.keep(1))]
        pub(crate) async fn read(db: &mut sqlx::SqliteConnection) -> Result<i64, sqlx::Error> {
            super::users::read_with(db).await
        }
    }
}

use api::users::read;

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    assert_eq!(read().await?, 7);
    assert_eq!(api::orders::read().await?, 7);
    // Of one type and source: one connection.
    assert_eq!(api::users::READ_DB.stats().opened, 1);
    assert_eq!(api::orders::READ_DB.stats().reused, 1);
    Ok(())
}
