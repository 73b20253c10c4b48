//! A transaction on a kept connection.

use std::time::Duration;

use sqlx::{Connection as _, Transaction};
use tokio::time::{Instant, timeout_at};

use super::Driver;
use super::error::{Explained, ours};
use super::error_kind::{error_kind, number};
use crate::environment;
use crate::error::{BoxError, Error, ErrorKind};
use crate::invocation::{Step, deadline, leases_out, waits_for};
use crate::response::Outcome;
use crate::source::Source;
use crate::telemetry::{HandlerName, events};

/// The limit of a COMMIT if the invocation's deadline is unknown. API Gateway waits as long.
const COMMIT_LIMIT: Duration = Duration::from_secs(29);

/// The limit of the wait for the answer of a statement that the handler has abandoned.
const ABANDONED_LIMIT: Duration = Duration::from_millis(500);

pub(super) async fn begin<'c, DB: Driver>(
    connection: &'c mut DB::Connection,
    source: &Source,
) -> Result<Transaction<'c, DB>, Error> {
    let _waits = waits_for(Step::Begin);
    DB::begin(connection, source).await.map_err(|error| {
        let error = match ours(error) {
            Ok(error) => return *error,
            Err(error) => error,
        };
        if super::error::has_code(&error, "25001") {
            events::left_open(&environment::function(), HandlerName::UNKNOWN);
        }
        // The connection may be dead, or a pooler may have no session left.
        match error_kind(&error) {
            // Logged by the pool, unless it replaces the connection.
            ErrorKind::Rejected => Error::Transaction {
                step: "BEGIN",
                source: error.into(),
            },
            kind => Error::connect(kind, Explained::new("BEGIN", error)),
        }
    })
}

pub(super) async fn finish<DB: Driver>(
    mut transaction: Transaction<'_, DB>,
    outcome: Outcome,
) -> Result<(), Error> {
    if outcome != Outcome::Success {
        // Dropping the transaction queues its ROLLBACK.
        return Ok(());
    }
    if leases_out::is_task_overdue() {
        return Err(commit_failed(
            "its task was not awaited, and its invocation has ended: rolled back",
        ));
    }
    let end = deadline::before_handler_end(COMMIT_LIMIT);
    if Instant::now() >= end {
        return Err(commit_failed("no time is left for it: rolled back"));
    }
    let _waits = waits_for(Step::Commit);
    let read = timeout_at(
        end.min(deadline::after(ABANDONED_LIMIT)),
        read_abandoned::<DB>(&mut transaction),
    );
    match read.await {
        Ok(result) => result.map_err(commit_failed)?,
        Err(_) => return Err(commit_failed(ABANDONED)),
    }
    match timeout_at(end, DB::commit(transaction)).await {
        Ok(result) => result.map_err(|error| match explanation(&error) {
            Some(explanation) => commit_failed(Explained::new(explanation, error)),
            None => commit_failed(error),
        }),
        Err(_) => Err(commit_failed(
            "no answer in time: it may or may not have happened",
        )),
    }
}

/// The error if a statement of the handler still runs at COMMIT.
const ABANDONED: &str = "a statement that the handler has abandoned, by a time-out or `select!`, \
    still runs after 500 ms: return an error after a time-out; rolled back";

/// Reads the answer of a statement that the handler has abandoned. sqlx would read it before the
/// next one, without a limit. Usually there is none, and nothing is awaited.
async fn read_abandoned<DB: Driver>(connection: &mut DB::Connection) -> Result<(), sqlx::Error> {
    // What is queued goes out with COMMIT.
    if connection.should_flush() {
        return Ok(());
    }
    connection.flush().await
}

/// The explanation if the transaction was gone at its COMMIT.
const ENDED_BEFORE: &str = "a statement of the handler ended the transaction: a deadlock rolled it \
    back, or SQL such as COMMIT, ROLLBACK or MySQL's CREATE TABLE ended it; each later statement \
    was committed alone";

/// Returns the explanation of an error of COMMIT that a statement before it has caused.
fn explanation(error: &sqlx::Error) -> Option<&'static str> {
    let error = error.as_database_error()?;
    // SQLite's code of any error.
    let is_sqlite = error.message().contains("no transaction is active");
    match (&*error.code()?, number(error)) {
        ("25P02", _) => Some(
            "a statement in the transaction failed, and the handler did not return its error: \
             return the error, or run the statement in a savepoint (`tx.begin()`); rolled back",
        ),
        ("25P01", _) | (_, Some(1305)) => Some(ENDED_BEFORE),
        ("1", None) if is_sqlite => Some(ENDED_BEFORE),
        _ => None,
    }
}

fn commit_failed(cause: impl Into<BoxError>) -> Error {
    let source = cause.into();
    let step = "COMMIT";
    events::transaction_failed(step, &source);
    Error::Transaction { step, source }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use sqlx::{Connection as _, Sqlite, SqliteConnection};

    use super::*;
    use crate::invocation::{INVOCATION, Invocation};

    #[tokio::test]
    async fn a_commit_is_not_sent_in_the_last_120_ms() {
        let mut connection = SqliteConnection::connect("sqlite::memory:")
            .await
            .expect("a connection");
        let mut run = async |sql: &'static str, left: u64| {
            let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE");
            let mut transaction = begin::<Sqlite>(&mut connection, &source)
                .await
                .expect("a transaction");
            sqlx::raw_sql(sql)
                .execute(&mut *transaction)
                .await
                .expect("an answer");
            let deadline = Some(Instant::now() + Duration::from_millis(left));
            let finish = finish(transaction, Outcome::Success);
            INVOCATION.scope(Invocation::new(deadline), finish).await
        };
        assert!(run("create table notes (text)", 240).await.is_ok());
        let error = run("drop table notes", 20).await.expect_err("too late");
        assert!(error.to_string().contains("rolled back"), "{error}");
        assert!(run("insert into notes values (1)", 240).await.is_ok());
    }
}
