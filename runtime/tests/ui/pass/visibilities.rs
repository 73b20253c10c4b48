#![deny(warnings, unreachable_pub)]

use reuse_db::{Source, reuse_db};

const MEMORY: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:");

mod outer {
    pub(crate) mod inner {
        use sqlx::SqliteConnection;

        use super::super::{MEMORY, reuse_db};

        #[reuse_db(source = MEMORY)]
        pub(crate) async fn in_crate(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
            sqlx::query_scalar("select 1").fetch_one(db).await
        }

        #[reuse_db(source = MEMORY)]
        pub(super) async fn in_parent(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
            sqlx::query_scalar("select 2").fetch_one(db).await
        }

        #[reuse_db(source = MEMORY)]
        pub(in crate::outer) async fn in_outer(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
            sqlx::query_scalar("select 3").fetch_one(db).await
        }

        #[reuse_db(source = MEMORY)]
        pub(self) async fn in_self(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
            sqlx::query_scalar("select 4").fetch_one(db).await
        }

        #[reuse_db(source = MEMORY)]
        async fn private(Private(add): Private, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
            sqlx::query_scalar("select $1").bind(add).fetch_one(db).await
        }

        struct Private(i64);

        pub(crate) async fn own() -> Result<i64, sqlx::Error> {
            Ok(in_self().await? + private(Private(5)).await?)
        }
    }

    pub(crate) async fn all() -> Result<i64, sqlx::Error> {
        let _ = (inner::in_parent_with, inner::in_outer_with);
        assert_eq!(inner::IN_PARENT_DB.stats().opened, 0);
        assert_eq!(inner::IN_OUTER_DB.stats().opened, 0);
        Ok(inner::in_parent().await? + inner::in_outer().await? + inner::own().await?)
    }
}

#[tokio::main]
async fn main() -> Result<(), sqlx::Error> {
    let _ = outer::inner::in_crate_with;
    assert_eq!(outer::inner::IN_CRATE_DB.stats().opened, 0);
    assert_eq!(outer::inner::in_crate().await? + outer::all().await?, 15);
    Ok(())
}
