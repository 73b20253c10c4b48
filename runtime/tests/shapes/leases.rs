//! Leases by value, whose connections outlive the handler.

use lambda_http::Error;
use reuse_db::{Lease, Outcome, reuse_db};
use sqlx::{Sqlite, SqliteConnection, Transaction};
use tokio::task::JoinHandle;

use crate::{MEMORY, NOWHERE, counts, one_connection};

/// Uses the connection after the handler has returned.
#[reuse_db(source = MEMORY)]
async fn goes_on(db: Lease<SqliteConnection>) -> Result<JoinHandle<i64>, Error> {
    Ok(tokio::spawn(async {
        let (notes, db) = note(db).await;
        Lease::settle(db, Outcome::Success);
        notes
    }))
}

#[reuse_db(source = MEMORY)]
async fn lets_go(db: Lease<SqliteConnection>) -> Result<JoinHandle<i64>, Error> {
    Ok(tokio::spawn(async { note(db).await.0 }))
}

/// Writes a note and counts all notes.
async fn note(mut db: Lease<SqliteConnection>) -> (i64, Lease<SqliteConnection>) {
    let notes = async {
        let connection = Lease::open(&mut db).await?;
        sqlx::query("insert into notes values ('a note')")
            .execute(&mut *connection)
            .await?;
        let count = sqlx::query_scalar("select count(*) from notes");
        Ok::<_, Error>(count.fetch_one(connection).await?)
    };
    (notes.await.unwrap_or(-1), db)
}

#[reuse_db(source = MEMORY)]
async fn borrows(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from notes")
        .fetch_one(db)
        .await
}

#[tokio::test]
async fn a_lease_is_released_when_it_is_settled_not_when_the_handler_returns() {
    GOES_ON_DB.warm().await;
    let notes = goes_on().await.expect("a task");
    assert_eq!(notes.await.expect("a count"), 1);
    // A handler with `&mut` gets the same connection.
    assert_eq!(borrows().await.expect("a count"), 1);
    let notes = goes_on().await.expect("a task");
    assert_eq!(notes.await.expect("a count"), 2);
    assert_eq!(
        counts(GOES_ON_DB.stats()),
        one_connection(3),
        "the first was the warm-up"
    );
}

#[tokio::test]
async fn an_opened_lease_that_is_dropped_discards_its_connection() {
    let notes = lets_go().await.expect("a task");
    assert_eq!(notes.await.expect("a count"), 1);
    assert_eq!(borrows().await.expect("a count"), 0, "another connection");
    assert!(LETS_GO_DB.stats().discarded > 0);
}

#[reuse_db(source = MEMORY)]
async fn does_not_need_it(_db: Lease<SqliteConnection>) -> Result<(), Error> {
    Ok(())
}

#[tokio::test]
async fn an_unopened_lease_that_is_dropped_releases_its_connection() {
    for _ in 0..3 {
        does_not_need_it().await.expect("nothing to fail");
    }
    assert_eq!(counts(DOES_NOT_NEED_IT_DB.stats()), one_connection(3));
}

/// Leases a transaction beside a connection.
#[reuse_db(source = MEMORY)]
async fn beside(
    #[db] db: &mut SqliteConnection,
    #[db] mut other: Lease<Transaction<'_, Sqlite>>,
) -> Result<bool, Error> {
    sqlx::query("insert into notes values ('one')")
        .execute(&mut *db)
        .await?;
    let mut transaction = Lease::open(&mut other).await?;
    let notes: i64 = sqlx::query_scalar("select count(*) from notes")
        .fetch_one(&mut *transaction)
        .await?;
    transaction.rollback().await?;
    Lease::settle(other, Outcome::Success);
    Ok(notes == 0)
}

#[tokio::test]
async fn a_leased_transaction_has_a_connection_of_its_own() {
    assert!(
        beside().await.expect("an answer"),
        "a connection of its own"
    );
    assert_eq!(counts(BESIDE_OTHER.stats()), one_connection(1));
}

#[reuse_db(source = NOWHERE)]
async fn nowhere(_db: Lease<SqliteConnection>) -> Result<(), Error> {
    Ok(())
}

#[tokio::test]
async fn a_failed_lease_is_an_error_of_the_handler() {
    let error = nowhere().await.expect_err("nowhere to connect to");
    assert!(error.to_string().contains("NO_SUCH_VARIABLE"), "{error}");
    assert_eq!(NOWHERE_DB.stats().unavailable, 1);
}

#[tokio::test]
async fn the_inner_function_takes_a_lease_from_the_static() {
    let db = LETS_GO_DB.lease().await.expect("a lease");
    let notes = lets_go_with(db).await.expect("a task");
    assert_eq!(notes.await.expect("a count"), 1);
}
