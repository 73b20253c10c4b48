//! Leases by value, whose connections outlive the handler.

use lambda_http::Error;
use reuse_db::{Finish, Lease, Outcome, reuse_db};
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
async fn a_lease_that_is_not_opened_opens_no_connection() {
    for _ in 0..3 {
        does_not_need_it().await.expect("nothing to fail");
    }
    assert_eq!(DOES_NOT_NEED_IT_DB.stats().opened, 0);
    assert_eq!(DOES_NOT_NEED_IT_DB.stats().reused, 0);
}

/// Opens the lease twice and does not settle it.
#[reuse_db(source = MEMORY)]
async fn on_first_use(fails: bool, mut db: Lease<SqliteConnection>) -> Result<i64, Error> {
    sqlx::query("insert into notes values ('a note')")
        .execute(Lease::open(&mut db).await?)
        .await?;
    let notes = sqlx::query_scalar("select count(*) from notes")
        .fetch_one(Lease::open(&mut db).await?)
        .await?;
    if fails {
        return Err("the handler failed".into());
    }
    Ok(notes)
}

#[tokio::test]
async fn the_annotated_function_settles_a_lease_that_the_handler_drops() {
    for n in 1..4 {
        assert_eq!(on_first_use(false).await.expect("a count"), n);
    }
    let stats = ON_FIRST_USE_DB.stats();
    assert_eq!(counts(stats), one_connection(3));
    on_first_use(true).await.expect_err("its own error");
    let notes = on_first_use(false).await.expect("a count");
    assert_eq!(notes, 5, "the same connection");
    assert_eq!(ON_FIRST_USE_DB.stats().checked, stats.checked + 1);
}

/// A handler's own commit.
#[reuse_db(source = MEMORY)]
async fn commits(mut db: Lease<Transaction<'_, Sqlite>>) -> Result<(), Error> {
    let mut transaction = Lease::open(&mut db).await?;
    sqlx::query("insert into notes values ('a note')")
        .execute(&mut *transaction)
        .await?;
    Finish::finish(transaction, Outcome::Success).await?;
    // A transaction that is dropped is rolled back.
    let mut transaction = Lease::open(&mut db).await?;
    sqlx::query("insert into notes values ('another')")
        .execute(&mut *transaction)
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_leased_transaction_is_committed_by_the_handler() {
    for n in 1..3 {
        commits().await.expect("a commit");
        assert_eq!(borrows().await.expect("a count"), n);
    }
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
async fn nowhere(mut db: Lease<SqliteConnection>) -> Result<(), Error> {
    Lease::open(&mut db).await?;
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
