//! The visibility of the function, its inner function and its static.

use reuse_db::reuse_db;
use sqlx::{Connection as _, SqliteConnection};

use crate::MEMORY;
use crate::{counts, one_connection};

mod inner {
    use super::*;

    pub(crate) mod deep {
        use super::*;

        #[reuse_db(source = MEMORY)]
        pub(in crate::visibility) async fn of_a_path(
            db: &mut SqliteConnection,
        ) -> Result<i64, sqlx::Error> {
            private().await?;
            private_with(db).await
        }

        #[reuse_db(source = MEMORY)]
        pub(in super::super) async fn of_grandparent(
            db: &mut SqliteConnection,
        ) -> Result<i64, sqlx::Error> {
            private_with(db).await
        }

        #[reuse_db(source = MEMORY)]
        pub(super) async fn of_parent(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
            private_with(db).await
        }

        #[reuse_db(source = MEMORY)]
        async fn private(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
            sqlx::query_scalar("select 1").fetch_one(db).await
        }
    }

    #[reuse_db(source = MEMORY)]
    pub(crate) async fn of_crate(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
        deep::of_parent_with(db).await
    }

    #[expect(unreachable_pub, reason = "it is re-exported in the crate")]
    #[reuse_db(source = MEMORY)]
    pub async fn of_all(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
        deep::of_parent().await?;
        deep::of_parent_with(db).await
    }

    pub(super) fn opened_of_parent() -> u64 {
        deep::OF_PARENT_DB.stats().opened
    }
}

pub(crate) use inner::{OF_ALL_DB, of_all, of_all_with};

#[tokio::test]
async fn all_items_have_the_visibility_of_the_function() {
    assert_eq!(inner::of_crate().await.expect("a number"), 1);
    assert_eq!(inner::deep::of_a_path().await.expect("a number"), 1);
    assert_eq!(inner::deep::of_grandparent().await.expect("a number"), 1);
    assert_eq!(counts(inner::OF_CRATE_DB.stats()), one_connection(1));
    let reused = [
        inner::deep::OF_A_PATH_DB.stats(),
        inner::deep::OF_GRANDPARENT_DB.stats(),
    ];
    assert_eq!(reused.map(|stats| stats.reused), [1, 1]);

    let mut db = SqliteConnection::connect("sqlite::memory:")
        .await
        .expect("a connection");
    assert_eq!(inner::of_crate_with(&mut db).await.expect("a number"), 1);
    assert_eq!(
        inner::deep::of_a_path_with(&mut db)
            .await
            .expect("a number"),
        1
    );
    assert_eq!(
        inner::deep::of_grandparent_with(&mut db)
            .await
            .expect("a number"),
        1
    );
}

#[tokio::test]
async fn all_items_can_be_re_exported() {
    let mut db = SqliteConnection::connect("sqlite::memory:")
        .await
        .expect("a connection");
    assert_eq!(of_all_with(&mut db).await.expect("a number"), 1);
    // The handler that it calls leased a connection, too.
    let before = inner::opened_of_parent();
    assert_eq!(crate::visibility::of_all().await.expect("a number"), 1);
    assert_eq!(OF_ALL_DB.stats().reused, 1);
    assert_eq!(inner::opened_of_parent(), before + 1);
}
