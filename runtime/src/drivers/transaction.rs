//! A transaction on a kept connection.

use std::time::Duration;

use sqlx::{Connection, Transaction};
use tokio::time::{Instant, timeout_at};

use super::{Driver, kind::kind};
use crate::{Error, Kind, Outcome, limit};

/// How long a COMMIT may take where the invocation's deadline is not known: as long as API Gateway
/// waits.
const COMMIT_LIMIT: Duration = Duration::from_secs(29);

pub(super) async fn begin<DB: Driver>(
    connection: &mut DB::Connection,
) -> Result<Transaction<'_, DB>, Error> {
    connection.begin().await.map_err(|error| {
        // A pooler may have no session for it; the connection may be dead.
        match kind(&error) {
            Kind::Rejected => Error::Transaction {
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
        // Dropped, it queues its ROLLBACK.
        return Ok(());
    }
    let failed = |source| Error::Transaction {
        step: "COMMIT",
        source,
    };
    let end = limit::until_the_last(COMMIT_LIMIT);
    if Instant::now() >= end {
        return Err(failed("no time is left for it: rolled back".into()));
    }
    match timeout_at(end, transaction.commit()).await {
        Ok(result) => result.map_err(|error| failed(error.into())),
        Err(_) => Err(failed(
            "no answer in time: it may or may not have happened".into(),
        )),
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use sqlx::{Sqlite, SqliteConnection};

    use super::*;
    use crate::invocation::{INVOCATION, Invocation};

    #[tokio::test]
    async fn a_commit_has_all_but_the_last_50_ms_and_is_not_sent_after() {
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
