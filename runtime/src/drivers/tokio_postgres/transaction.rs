//! A transaction of tokio-postgres on a kept session.

use std::ops::{Deref, DerefMut};

use tokio_postgres::{Client, Transaction};

use super::answer::ClientError;
use super::conversation::Status;
use super::session::Session;
use super::{PgSessionOf, boxed};
use crate::connect::{Finish, FromConnection};
use crate::drivers::driver_error::DriverError as _;
use crate::drivers::transaction::{
    self, ENDED_BEFORE, FAILED, commit_failed, end_of_commit, read_abandoned,
};
use crate::error::{BoxError, Error, ErrorKind};
use crate::invocation::{Step, waits_for};
use crate::response::Outcome;
use crate::source::Source;

/// A transaction for one invocation.
#[allow(
    missing_debug_implementations,
    reason = "tokio-postgres's type has none"
)]
pub struct OpenTransaction<'c> {
    transaction: Transaction<'c>,
    session: &'c Session,
}

impl<'c> Deref for OpenTransaction<'c> {
    type Target = Transaction<'c>;

    fn deref(&self) -> &Transaction<'c> {
        &self.transaction
    }
}

impl<'c> DerefMut for OpenTransaction<'c> {
    fn deref_mut(&mut self) -> &mut Transaction<'c> {
        &mut self.transaction
    }
}

/// A handler that takes `&mut Transaction<'_>` gets an open transaction. It is committed before the
/// response is returned if the handler succeeded, otherwise rolled back: after an `Err`, and after
/// an HTTP status of 4xx or 5xx.
#[diagnostic::do_not_recommend]
impl FromConnection for Transaction<'_> {
    type Connection = PgSessionOf<Client>;
    type Open<'c> = OpenTransaction<'c>;

    fn open<'c>(
        connection: &'c mut PgSessionOf<Client>,
        _: &Source,
    ) -> impl Future<Output = Result<OpenTransaction<'c>, Error>> + Send {
        let PgSessionOf { client, session } = connection;
        boxed(begin(client, session))
    }
}

async fn begin<'c>(
    client: &'c mut Client,
    session: &'c Session,
) -> Result<OpenTransaction<'c>, Error> {
    let _waits = waits_for(Step::Begin);
    let begun = client.transaction().await;
    let transaction = begun.map_err(|error| {
        let error = ClientError(error);
        // The connection may be dead, or a pooler may have no session left.
        match error.kind() {
            // Logged by the pool, unless it replaces the connection.
            ErrorKind::Rejected => Error::Transaction {
                step: "BEGIN",
                source: error.into(),
            },
            kind => Error::connect(kind, format!("BEGIN: {error}")),
        }
    })?;
    session.begin_transaction();
    Ok(OpenTransaction {
        transaction,
        session,
    })
}

/// A COMMIT waits for its answer for 29 s, or until 120 ms before the invocation's deadline. If
/// that time is up before COMMIT is sent, the transaction is rolled back. If it is up later, the
/// outcome is unknown. A ROLLBACK is queued, and sent when the connection is released.
#[diagnostic::do_not_recommend]
impl Finish for OpenTransaction<'_> {
    fn finish(self, outcome: Outcome) -> impl Future<Output = Result<(), Error>> + Send {
        boxed(finish(self, outcome))
    }
}

async fn finish(open: OpenTransaction<'_>, outcome: Outcome) -> Result<(), Error> {
    let OpenTransaction {
        transaction,
        session,
    } = open;
    if outcome != Outcome::Success {
        // Dropping the transaction queues its ROLLBACK.
        return Ok(());
    }
    let end = end_of_commit()?;
    let _waits = waits_for(Step::Commit);
    read_abandoned(end, session.read_answers()).await?;
    if session.has_transaction_ended() {
        return Err(commit_failed(ENDED_BEFORE));
    }
    if session.status() == Status::Failed {
        return Err(commit_failed(FAILED));
    }
    let commit = async {
        transaction.commit().await.map_err(ClientError)?;
        match session.has_committed() {
            true => Ok(()),
            false => Err(BoxError::from("the server rolled it back")),
        }
    };
    transaction::commit(end, commit).await
}
