//! Raw names, names of the expansion's locals, and names in other alphabets.

use reuse_db::reuse_db;
use sqlx::{Connection as _, Sqlite, SqliteConnection, Transaction};

use crate::{MEMORY, counts, one_connection};

mod r#mod {
    use super::*;

    #[reuse_db(source = crate::MEMORY)]
    pub(super) async fn r#fn(r#in: i64, r#mut: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar("select ? + 1")
            .bind(r#in)
            .fetch_one(r#mut)
            .await
    }
}

#[reuse_db(source = MEMORY, with = r#match)]
#[allow(clippy::needless_lifetimes, reason = "for its name")]
async fn r#async<'r#for>(
    r#type: &'r#for str,
    #[db(name = r#STATIC)] _: &mut Transaction<'_, Sqlite>,
) -> Result<&'r#for str, sqlx::Error> {
    Ok(r#type)
}

#[tokio::test]
async fn raw_identifiers_stay_raw() {
    assert_eq!(r#mod::r#fn(1).await.expect("a number"), 2);
    let mut db = SqliteConnection::connect("sqlite::memory:")
        .await
        .expect("a connection");
    assert_eq!(r#mod::fn_with(2, &mut db).await.expect("a number"), 3);
    assert_eq!(counts(r#mod::FN_MUT.stats()), one_connection(1));
    assert_eq!(r#async("a").await.expect("a text"), "a");
    let mut tx = db.begin().await.expect("a transaction");
    assert_eq!(r#match("b", &mut tx).await.expect("a text"), "b");
    assert_eq!((STATIC.stats().opened, STATIC.stats().reused), (0, 1));
}

/// The parameters have the names of the expansion's locals.
#[reuse_db(source = MEMORY, with = output)]
#[expect(clippy::too_many_arguments, reason = "one for each name")]
async fn lease(
    lease: i64,
    mut open: i64,
    output: i64,
    outcome: i64,
    error: i64,
    __arg0: i64,
    __arg1: i64,
    #[db] lease1: &mut SqliteConnection,
    #[db] open1: &mut SqliteConnection,
) -> Result<i64, sqlx::Error> {
    open += 1;
    let sum = lease + open - 1 + output + outcome + error + __arg0 + __arg1;
    let sum: i64 = sqlx::query_scalar("select ?")
        .bind(sum)
        .fetch_one(lease1)
        .await?;
    sqlx::query_scalar("select ?")
        .bind(sum)
        .fetch_one(open1)
        .await
}

#[reuse_db(source = MEMORY, with = open)]
async fn outcome(error: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 1").fetch_one(error).await
}

#[tokio::test]
async fn parameters_do_not_collide_with_the_locals_of_the_expansion() {
    assert_eq!(lease(1, 2, 4, 8, 16, 32, 64).await.expect("a sum"), 127);
    assert_eq!(outcome().await.expect("a number"), 1);
    assert_eq!(
        [LEASE_LEASE1.stats(), LEASE_OPEN1.stats()].map(|stats| stats.opened),
        [1, 1]
    );
    assert_eq!(OUTCOME_ERROR.stats().opened, 0);
    let mut db = SqliteConnection::connect("sqlite::memory:")
        .await
        .expect("a connection");
    assert_eq!(open(&mut db).await.expect("a number"), 1);
    let mut other = SqliteConnection::connect("sqlite::memory:")
        .await
        .expect("a connection");
    assert_eq!(
        output(1, 0, 0, 0, 0, 0, 0, &mut db, &mut other)
            .await
            .expect("a number"),
        1
    );
}

#[reuse_db(source = MEMORY)]
async fn zähle(größe: i64, データ: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select ?")
        .bind(größe)
        .fetch_one(データ)
        .await
}

#[tokio::test]
async fn names_can_be_in_any_alphabet() {
    assert_eq!(zähle(7).await.expect("a number"), 7);
    assert_eq!(counts(ZÄHLE_データ.stats()), one_connection(1));
}

mod same {
    #[::reuse_db::reuse_db(source = crate::MEMORY)]
    pub(super) async fn same(db: &mut ::sqlx::SqliteConnection) -> Result<i64, ::sqlx::Error> {
        ::sqlx::query_scalar("select 1").fetch_one(db).await
    }
}

#[reuse_db(source = MEMORY)]
async fn same(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    same::same_with(db).await
}

#[tokio::test]
async fn a_function_has_the_name_of_a_module() {
    assert_eq!(same::same().await.expect("a number"), 1);
    assert_eq!(counts(same::SAME_DB.stats()), one_connection(1));
    assert_eq!(same().await.expect("a number"), 1);
}
