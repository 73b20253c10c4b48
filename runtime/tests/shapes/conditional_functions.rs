//! `#[cfg]` and `#[cfg_attr]` on functions.

use reuse_db::reuse_db;
use sqlx::SqliteConnection;

use crate::MEMORY;

/// The first of two functions with one name. The second is removed, with its static and its inner
/// function.
#[cfg(test)]
#[reuse_db(source = MEMORY)]
async fn either(db: &mut SqliteConnection) -> Result<String, sqlx::Error> {
    sqlx::query_scalar("select 'above'").fetch_one(db).await
}

#[reuse_db(source = MEMORY)]
#[cfg(not(test))]
async fn either(db: &mut NoSuchType) -> NoSuchType {}

#[reuse_db(source = MEMORY)]
#[cfg(test)]
async fn other(db: &mut SqliteConnection) -> Result<String, sqlx::Error> {
    sqlx::query_scalar("select 'below'").fetch_one(db).await
}

#[cfg(not(test))]
#[reuse_db(source = MEMORY)]
async fn other(db: &mut NoSuchType) -> NoSuchType {}

#[cfg_attr(test, reuse_db(source = MEMORY))]
async fn in_tests(db: &mut SqliteConnection) -> Result<String, sqlx::Error> {
    sqlx::query_scalar("select 'in tests'").fetch_one(db).await
}

#[tokio::test]
async fn a_function_removed_by_cfg_leaves_no_items() {
    assert_eq!(either().await.expect("a word"), "above");
    assert_eq!(other().await.expect("a word"), "below");
    assert_eq!(in_tests().await.expect("two words"), "in tests");
    let opened =
        [EITHER_DB.stats(), OTHER_DB.stats(), IN_TESTS_DB.stats()].map(|stats| stats.opened);
    assert_eq!(opened, [1, 0, 0]);
}
