//! Transactions, which are committed if the handler succeeds and rolled back otherwise. The
//! connection is kept in both cases.

use lambda_http::http::StatusCode;
use lambda_http::{Body, Response};
use reuse_db::{Error, Source, reuse_db};
use sqlx::{Sqlite, SqliteConnection, Transaction};

use crate::{Counts, MEMORY, counts, one_connection};

async fn write(tx: &mut Transaction<'_, Sqlite>) -> Result<(), sqlx::Error> {
    sqlx::query("insert into notes values ('noted')")
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn notes(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from notes")
        .fetch_one(db)
        .await
}

#[reuse_db(source = MEMORY)]
async fn result(fail: bool, tx: &mut Transaction<'_, Sqlite>) -> anyhow::Result<()> {
    write(tx).await?;
    anyhow::ensure!(!fail, "as requested");
    Ok(())
}

#[reuse_db(source = MEMORY, with = notes_after_result_with)]
async fn notes_after_result(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    notes(db).await
}

#[tokio::test]
async fn a_result_decides_about_the_commit() {
    for (fail, written) in [(false, 1), (true, 1), (true, 1), (false, 2)] {
        assert_eq!(result(fail).await.is_err(), fail);
        assert_eq!(notes_after_result().await.expect("a number"), written);
    }
    assert_eq!(counts(RESULT_TX.stats()), one_connection(4));
    assert_eq!(RESULT_TX.stats().checked, 2, "after each failure");
}

fn response(status: u16) -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    if let Ok(status) = status.try_into() {
        *response.status_mut() = status;
    }
    response
}

#[reuse_db(source = MEMORY)]
async fn plain(status: u16, tx: &mut Transaction<'_, Sqlite>) -> Response<Body> {
    match write(tx).await {
        Ok(()) => response(status),
        Err(_) => response(500),
    }
}

#[reuse_db(source = MEMORY)]
async fn in_a_result(
    status: u16,
    tx: &mut Transaction<'_, Sqlite>,
) -> Result<Response<Body>, lambda_http::Error> {
    write(tx).await?;
    Ok(response(status))
}

#[reuse_db(source = MEMORY)]
async fn notes_after_response(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    notes(db).await
}

#[tokio::test]
async fn a_response_decides_about_the_commit() {
    let mut written = 0;
    for (status, is_committed) in [
        (200, true),
        (204, true),
        (302, true),
        (400, false),
        (404, false),
        (500, false),
        (503, false),
        (201, true),
    ] {
        assert_eq!(plain(status).await.status(), status);
        assert_eq!(
            in_a_result(status).await.expect("a response").status(),
            status
        );
        written += if is_committed { 2 } else { 0 };
        assert_eq!(
            notes_after_response().await.expect("a number"),
            written,
            "{status}"
        );
    }
    assert_eq!(counts(PLAIN_TX.stats()), one_connection(8));
    assert_eq!(
        [PLAIN_TX.stats().checked, IN_A_RESULT_TX.stats().checked],
        [2, 2],
        "after each 5xx"
    );
}

/// A tuple that axum converts into a response.
#[reuse_db(source = MEMORY)]
async fn as_a_tuple(
    status: StatusCode,
    tx: &mut Transaction<'_, Sqlite>,
) -> Result<(StatusCode, &'static str), sqlx::Error> {
    write(tx).await?;
    Ok((status, "a body"))
}

#[reuse_db(source = MEMORY)]
async fn as_a_status(
    status: StatusCode,
    tx: &mut Transaction<'_, Sqlite>,
) -> Result<StatusCode, sqlx::Error> {
    write(tx).await.map(|()| status)
}

#[reuse_db(source = MEMORY)]
async fn notes_after_status(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    notes(db).await
}

#[tokio::test]
async fn a_status_decides_about_the_commit() {
    for (status, written) in [(200, 2), (404, 2), (500, 2), (201, 4)] {
        let status = StatusCode::from_u16(status).expect("a status");
        as_a_tuple(status).await.expect("a response");
        notes_after_status().await.expect("a number");
        as_a_status(status).await.expect("a response");
        assert_eq!(
            notes_after_status().await.expect("a number"),
            written,
            "{status}"
        );
    }
    assert_eq!(counts(AS_A_TUPLE_TX.stats()), one_connection(4));
}

const CHECKED_AT_COMMIT: Source = MEMORY.on_connect(
    "pragma foreign_keys = on; create table lists (id integer primary key); \
     create table items (list integer references lists deferrable initially deferred)",
);

#[reuse_db(source = CHECKED_AT_COMMIT)]
async fn orphan(tx: &mut Transaction<'_, Sqlite>) -> Result<&'static str, Error> {
    sqlx::query("insert into items values (7)")
        .execute(&mut **tx)
        .await?;
    Ok("written")
}

#[reuse_db(source = CHECKED_AT_COMMIT)]
async fn orphan_response(tx: &mut Transaction<'_, Sqlite>) -> Response<Body> {
    match sqlx::query("insert into items values (7)")
        .execute(&mut **tx)
        .await
    {
        Ok(_) => response(201),
        Err(_) => response(500),
    }
}

#[tokio::test]
async fn a_failed_commit_is_never_a_success() {
    let error = orphan().await.expect_err("no such list");
    assert!(error.to_string().starts_with("COMMIT failed: "), "{error}");
    assert!(matches!(error, Error::Transaction { step: "COMMIT", .. }));
    assert_eq!(orphan_response().await.status(), 500);
    // The server has answered, so the connection is reset and kept.
    let kept = Counts {
        opened: 1,
        ..Counts::default()
    };
    assert_eq!(counts(ORPHAN_TX.stats()), kept);
    let reused = Counts {
        reused: 1,
        ..Counts::default()
    };
    assert_eq!(counts(ORPHAN_RESPONSE_TX.stats()), reused);
}
