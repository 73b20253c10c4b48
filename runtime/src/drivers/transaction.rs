//! A transaction on a kept connection.

use std::time::Duration;

use sqlx::{Connection, Transaction};
use tokio::time::timeout_at;

use super::Driver;
use crate::{Error, Outcome, limit};

/// How long a COMMIT may take where the invocation's deadline is not known: as long as API Gateway
/// waits.
const COMMIT_LIMIT: Duration = Duration::from_secs(29);

pub(super) async fn begin<DB: Driver>(
    connection: &mut DB::Connection,
) -> Result<Transaction<'_, DB>, Error> {
    connection
        .begin()
        .await
        .map_err(|error| Error::Transaction {
            step: "BEGIN",
            source: error.into(),
        })
}

pub(super) async fn finish<DB: Driver>(
    transaction: Transaction<'_, DB>,
    outcome: Outcome,
) -> Result<(), Error> {
    if outcome != Outcome::Success {
        // Dropped, it queues its ROLLBACK.
        return Ok(());
    }
    let failed = |source| Error::Transaction {
        step: "COMMIT",
        source,
    };
    match timeout_at(limit::until(COMMIT_LIMIT), transaction.commit()).await {
        Ok(result) => result.map_err(|error| failed(error.into())),
        Err(_) => Err(failed(
            "no answer in time: it may or may not have happened".into(),
        )),
    }
}
