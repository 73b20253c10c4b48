//! The end of an invocation's transaction, as the drivers share it.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::error::{BoxError, Error};
use crate::invocation::{deadline, leases_out};
use crate::telemetry::events;

/// The limit of a COMMIT if the invocation's deadline is unknown. API Gateway waits as long.
const COMMIT_LIMIT: Duration = Duration::from_secs(29);

/// The limit of the wait for the answer of a statement that the handler has abandoned.
const ABANDONED_LIMIT: Duration = Duration::from_millis(500);

/// The error if a statement of the handler still runs at COMMIT.
const ABANDONED: &str = "a statement that the handler has abandoned, by a time-out or `select!`, \
    still runs after 500 ms: return an error after a time-out; rolled back";

/// The explanation if a statement in the transaction has failed.
pub(super) const FAILED: &str = "a statement in the transaction failed, and the handler did not \
    return its error: return the error, or run the statement in a savepoint (`tx.begin()`); rolled \
    back";

/// The explanation if the transaction was gone at its COMMIT.
pub(super) const ENDED_BEFORE: &str = "a statement of the handler ended the transaction: a deadlock \
    rolled it back, or SQL such as COMMIT, ROLLBACK or MySQL's CREATE TABLE ended it; each later \
    statement was committed alone";

/// Returns the time until which a COMMIT may wait for its answer. Fails if that time is up, or if
/// the invocation has ended.
pub(super) fn end_of_commit() -> Result<Instant, Error> {
    if leases_out::is_task_overdue() {
        return Err(commit_failed(
            "its task was not awaited, and its invocation has ended: rolled back",
        ));
    }
    let end = deadline::before_handler_end(COMMIT_LIMIT);
    if Instant::now() >= end {
        return Err(commit_failed("no time is left for it: rolled back"));
    }
    Ok(end)
}

/// Waits for the answers of statements that the handler has abandoned.
pub(super) async fn read_abandoned<E: Into<BoxError>>(
    end: Instant,
    read: impl Future<Output = Result<(), E>>,
) -> Result<(), Error> {
    match timeout_at(end.min(deadline::after(ABANDONED_LIMIT)), read).await {
        Ok(result) => result.map_err(commit_failed),
        Err(_) => Err(commit_failed(ABANDONED)),
    }
}

/// Waits for the answer of a COMMIT.
pub(super) async fn commit(
    end: Instant,
    commit: impl Future<Output = Result<(), BoxError>>,
) -> Result<(), Error> {
    match timeout_at(end, commit).await {
        Ok(result) => result.map_err(commit_failed),
        Err(_) => Err(commit_failed(
            "no answer in time: it may or may not have happened",
        )),
    }
}

/// Logs an error of COMMIT, and returns it.
pub(super) fn commit_failed(cause: impl Into<BoxError>) -> Error {
    let source = cause.into();
    let step = "COMMIT";
    events::transaction_failed(step, &source);
    Error::Transaction { step, source }
}
