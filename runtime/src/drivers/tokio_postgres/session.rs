//! A session of PostgreSQL under a client, as this crate uses it between the client's requests.

use bytes::BytesMut;
use postgres_protocol::message::frontend;

use super::answer::PgError;
use super::conversation::{Conversation, Stale, Status};
use super::tap::Tap;
use crate::drivers::io_task::IoTask;
use crate::drivers::target;
use crate::error::Error;
use crate::response::Outcome;
use crate::source::Source;

/// A session, whose stream a client and this crate use in turns.
pub(super) struct Session {
    tap: Tap,
    /// Reads and writes the stream for the client.
    task: IoTask,
}

impl Session {
    /// Takes over after the sign-in. The `work` is the client's.
    pub(super) fn new(tap: Tap, work: impl Future<Output = ()> + Send + 'static) -> Self {
        tap.begin();
        Self {
            tap,
            task: IoTask::spawn(work),
        }
    }

    /// Runs SQL without preparing it, in one round trip. Returns the first column of each row.
    pub(super) async fn run(&self, sql: &str) -> Result<Vec<String>, PgError> {
        let mut request = BytesMut::new();
        frontend::query(sql, &mut request)?;
        self.exchange(&request).await
    }

    async fn exchange(&self, request: &[u8]) -> Result<Vec<String>, PgError> {
        // The client may have read a part of a notification, or closed a statement.
        loop {
            self.read_answers().await?;
            if self.tap.claim() {
                break;
            }
        }
        let texts = self.tap.exchange(request).await;
        self.catch_up();
        texts
    }

    /// Runs SQL outside a transaction, and rolls an open one back first. Returns `true` if there
    /// was one.
    pub(super) async fn run_outside_transaction(&self, sql: &str) -> Result<bool, PgError> {
        let was_open = self.status() != Status::NoTransaction;
        if was_open {
            self.run("rollback").await?;
        }
        self.run(sql).await?;
        if self.status() != Status::NoTransaction {
            let problem = "a transaction is open again after a ROLLBACK";
            return Err(PgError::Protocol(problem.to_owned()));
        }
        Ok(was_open)
    }

    /// Fails if the session behind a pooler knows a prepared statement by the name that its client
    /// gave it: another client's statements may have the same names.
    pub(super) async fn expect_renamed_statements(&self, source: &Source) -> Result<(), PgError> {
        // Unique, so that the statement is found in no other client's session.
        let name = format!("reuse_db_{:x}", getrandom::u64().unwrap_or_default());
        let count = format!(
            "select 'passed' from pg_catalog.pg_prepared_statements \
             where name operator(pg_catalog.=) '{name}'"
        );
        // In one transaction, which a pooler keeps in one session. Some poolers give the session
        // back at the first answer of several, so each waits for its own.
        self.run("begin").await?;
        let mut prepare = BytesMut::new();
        frontend::parse(&name, "select 1", [], &mut prepare)?;
        frontend::sync(&mut prepare);
        self.exchange(&prepare).await?;
        let passed = self.run(&count).await?;
        let mut close = BytesMut::new();
        frontend::close(b'S', &name, &mut close)?;
        frontend::sync(&mut close);
        self.exchange(&close).await?;
        self.run("rollback").await?;
        if !passed.is_empty() {
            target::remember_passed_names(source);
        }
        Ok(target::expect_renamed_statements(source)?)
    }

    pub(super) fn status(&self) -> Status {
        self.tap.conversation(|it| it.status())
    }

    /// Begins to watch for the end of the transaction that is open.
    pub(super) fn begin_transaction(&self) {
        self.tap.conversation(Conversation::begin_transaction);
    }

    /// Returns `true` if a transaction has ended since
    /// [`begin_transaction`](Self::begin_transaction), even if another one is open by now.
    pub(super) fn has_transaction_ended(&self) -> bool {
        self.tap.conversation(|it| it.has_transaction_ended())
    }

    /// Returns `true` if the last command was a COMMIT.
    pub(super) fn has_committed(&self) -> bool {
        self.tap.conversation(|it| it.has_committed())
    }

    /// Takes the outcome that the last error of the server stands for.
    pub(super) fn take_outcome(&self) -> Option<Outcome> {
        self.tap.conversation(Conversation::take_outcome)
    }

    /// Takes what the client knows wrongly.
    pub(super) fn take_stale(&self) -> Option<Stale> {
        self.tap.conversation(|it| {
            let stale = it.stale();
            it.set_forgotten();
            stale
        })
    }

    /// Returns `true` if something is unanswered, open, stale or defect.
    pub(super) fn needs_quiesce(&self) -> bool {
        self.expect_usable().is_err()
            || self.tap.conversation(|it| it.stale().is_some())
            || self.is_unfinished()
            || self.status() != Status::NoTransaction
    }

    /// Waits for the answers to the client's requests.
    pub(super) async fn read_answers(&self) -> Result<(), Error> {
        self.expect_usable()?;
        if self.is_unfinished() {
            let is_done = || !self.is_unfinished();
            self.task.until(|| self.catch_up(), is_done).await;
            self.expect_usable()?;
        }
        Ok(())
    }

    /// Waits for the answers to the client's requests, and ends a transaction that is open. Does
    /// nothing if there is neither. Returns `true` if there was a transaction.
    pub(super) async fn settle(&self) -> Result<bool, Error> {
        self.expect_usable()?;
        let abandoned = self.tap.conversation(Conversation::take_preparing);
        self.read_answers().await?;
        if !abandoned.is_empty() {
            self.close_statements(&abandoned)
                .await
                .map_err(Error::broken)?;
        }
        let was_open = self.status() != Status::NoTransaction;
        if was_open {
            self.run("rollback").await.map_err(Error::broken)?;
        }
        Ok(was_open)
    }

    /// Lets the task say goodbye to the server. The client is gone.
    pub(super) async fn end(&self) {
        self.task.until(|| self.catch_up(), || false).await;
    }

    /// Lets the task send what is queued, and read a part of what has arrived.
    fn catch_up(&self) -> bool {
        let mut is_alive = false;
        self.tap.reads_all(|| is_alive = self.task.catch_up());
        is_alive
    }

    /// Closes statements whose preparation a handler has abandoned. The client does not know them.
    async fn close_statements(&self, names: &[String]) -> Result<(), PgError> {
        let mut request = BytesMut::new();
        for name in names {
            frontend::close(b'S', name, &mut request)?;
        }
        frontend::sync(&mut request);
        self.exchange(&request).await.map(drop)
    }

    fn is_unfinished(&self) -> bool {
        self.tap.conversation(|it| it.is_unfinished())
    }

    /// Sends the requests that are queued, and reads the answers that have arrived. Fails if no
    /// further handler may use the connection.
    fn expect_usable(&self) -> Result<(), Error> {
        if self.tap.is_ours() {
            return Err(Error::broken("a request of this crate was cut off"));
        }
        let mut is_alive = false;
        let reads_all = self.tap.reads_all(|| is_alive = self.task.catch_up());
        if !is_alive {
            return Err(Error::broken("its stream has ended"));
        }
        if !reads_all {
            return Err(Error::broken(
                "a stream of rows is still open that a handler has kept",
            ));
        }
        if self.tap.conversation(|it| it.is_out_of_step()) {
            return Err(Error::broken("its answers do not match its requests"));
        }
        Ok(())
    }
}
