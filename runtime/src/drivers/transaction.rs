//! A transaction on a kept connection.

use std::time::Duration;

use sqlx::{Connection, Transaction};
use tokio::time::{Instant, timeout_at};

use super::{Driver, error_kind::error_kind};
use crate::error::{BoxError, Error, ErrorKind};
use crate::invocation::deadline;
use crate::response::Outcome;
use crate::telemetry::events;

/// The limit of a COMMIT if the invocation's deadline is unknown. API Gateway waits as long.
const COMMIT_LIMIT: Duration = Duration::from_secs(29);

pub(super) async fn begin<DB: Driver>(
    connection: &mut DB::Connection,
) -> Result<Transaction<'_, DB>, Error> {
    connection.begin().await.map_err(|error| {
        // The connection may be dead, or a pooler may have no session left.
        match error_kind(&error) {
            // Logged by the pool, unless it replaces the connection.
            ErrorKind::Rejected => Error::Transaction {
                step: "BEGIN",
                source: error.into(),
            },
            kind => Error::connect(kind, format!("BEGIN: {error}")),
        }
    })
}

pub(super) async fn finish<DB: Driver>(
    transaction: Transaction<'_, DB>,
    outcome: Outcome,
) -> Result<(), Error> {
    if outcome != Outcome::Success {
        // Dropping the transaction queues its ROLLBACK.
        return Ok(());
    }
    let end = deadline::before_deadline_final(COMMIT_LIMIT);
    if Instant::now() >= end {
        return Err(commit_failed("no time is left for it: rolled back"));
    }
    match timeout_at(end, transaction.commit()).await {
        Ok(result) => result.map_err(commit_failed),
        Err(_) => Err(commit_failed(
            "no answer in time: it may or may not have happened",
        )),
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
    use sqlx::{Sqlite, SqliteConnection};

    use super::*;
    use crate::invocation::{INVOCATION, Invocation};

    #[tokio::test]
    async fn a_commit_is_not_sent_in_the_last_50_ms() {
        let mut connection = SqliteConnection::connect("sqlite::memory:")
            .await
            .expect("a connection");
        let mut run = async |sql: &'static str, left: u64| {
            let mut transaction = begin::<Sqlite>(&mut connection)
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
