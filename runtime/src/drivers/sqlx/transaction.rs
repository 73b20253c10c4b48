//! A transaction on a kept connection.

use sqlx::{Connection as _, Transaction};

use super::Driver;
use super::error::{Explained, ours};
use super::error_kind::{error_kind, number};
use crate::drivers::driver_error::DriverError as _;
use crate::drivers::transaction::{self, ENDED_BEFORE, FAILED, end_of_commit, read_abandoned};
use crate::environment;
use crate::error::{Error, ErrorKind};
use crate::invocation::{Step, waits_for};
use crate::response::Outcome;
use crate::source::Source;
use crate::telemetry::{HandlerName, events};

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
        if error.has_code("25001") {
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
    let end = end_of_commit()?;
    let _waits = waits_for(Step::Commit);
    let abandoned = read_unread::<DB>(&mut transaction);
    read_abandoned(end, abandoned).await?;
    let commit = async {
        let result = DB::commit(transaction).await;
        result.map_err(|error| match explanation(&error) {
            Some(explanation) => Explained::new(explanation, error).into(),
            None => error.into(),
        })
    };
    transaction::commit(end, commit).await
}

/// Reads the answer of a statement that the handler has abandoned. sqlx would read it before the
/// next one, without a limit. Usually there is none, and nothing is awaited.
async fn read_unread<DB: Driver>(connection: &mut DB::Connection) -> Result<(), sqlx::Error> {
    // What is queued goes out with COMMIT.
    if connection.should_flush() {
        return Ok(());
    }
    connection.flush().await
}

/// Returns the explanation of an error of COMMIT that a statement before it has caused.
fn explanation(error: &sqlx::Error) -> Option<&'static str> {
    let error = error.as_database_error()?;
    // SQLite's code of any error.
    let is_sqlite = error.message().contains("no transaction is active");
    match (&*error.code()?, number(error)) {
        ("25P02", _) => Some(FAILED),
        ("25P01", _) | (_, Some(1305)) => Some(ENDED_BEFORE),
        ("1", None) if is_sqlite => Some(ENDED_BEFORE),
        _ => None,
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

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
