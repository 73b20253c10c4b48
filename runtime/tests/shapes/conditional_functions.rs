//! `#[cfg]` and `#[cfg_attr]` on parameters and on the function.

use reuse_db::reuse_db;
use sqlx::{Sqlite, SqliteConnection, Transaction};

use crate::{MEMORY, counts, one_connection};

#[reuse_db(source = MEMORY)]
async fn add(
    #[cfg(test)] on: i64,
    #[cfg(not(test))] off: NoSuchType,
    plain: i64,
    #[cfg(all(test, not(test)))] never: i64,
    #[cfg(feature = "sqlite")]
    #[cfg(any(test, not(test)))]
    twice: i64,
    db: &mut SqliteConnection,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select ? + ? + ?")
        .bind(on)
        .bind(plain)
        .bind(twice)
        .fetch_one(db)
        .await
}

#[tokio::test]
async fn on_parameters() {
    assert_eq!(add(1, 20, 300).await.expect("a sum"), 321);
    assert_eq!(counts(ADD_DB.stats()), one_connection(1));
}

#[reuse_db(source = MEMORY)]
async fn around_databases(
    #[cfg(not(test))] a: NoSuchType,
    #[db] db: &mut SqliteConnection,
    #[cfg(test)] b: i64,
    #[db] tx: &mut Transaction<'_, Sqlite>,
    #[cfg_attr(test, allow(unused_variables))] c: i64,
) -> Result<i64, sqlx::Error> {
    let b: i64 = sqlx::query_scalar("select ?").bind(b).fetch_one(db).await?;
    sqlx::query_scalar("select ? + 1")
        .bind(b)
        .fetch_one(&mut **tx)
        .await
}

#[tokio::test]
async fn on_parameters_around_databases() {
    assert_eq!(around_databases(7, 0).await.expect("a number"), 8);
    assert_eq!(counts(AROUND_DATABASES_DB.stats()), one_connection(1));
    assert_eq!(counts(AROUND_DATABASES_TX.stats()), one_connection(1));
}

/// Two of one name, of which one is there, with its static and its inner function.
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
async fn on_functions() {
    assert_eq!(either().await.expect("a word"), "above");
    assert_eq!(other().await.expect("a word"), "below");
    assert_eq!(in_tests().await.expect("two words"), "in tests");
    let opened =
        [EITHER_DB.stats(), OTHER_DB.stats(), IN_TESTS_DB.stats()].map(|stats| stats.opened);
    assert_eq!(opened, [1, 0, 0]);
}
