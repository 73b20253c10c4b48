//! tokio-postgres, and the clients over it.
//!
//! The stream is ours, and with it the state of the session: [`tap`] reads the messages along.

mod answer;
#[cfg(feature = "tokio-postgres-tls")]
mod binding;
#[cfg_attr(
    not(feature = "tokio-postgres-tls"),
    allow(dead_code, reason = "for TLS")
)]
mod connector;
mod conversation;
mod failure;
mod messages;
mod open;
mod session;
mod settings;
#[cfg_attr(
    not(feature = "tokio-postgres-tls"),
    allow(dead_code, reason = "for TLS")
)]
mod tap;
mod transaction;

pub(super) use self::failure::of_one;

use std::fmt;
use std::time::Duration;

use tokio_postgres::Client;

use self::answer::PgError;
pub(super) use self::conversation::Stale;
use self::session::Session;
use super::postgres::{self, PgSession};
use super::{boxed, load, target};
use crate::connect::{
    Answer, Attempt, Connect, Driver, DriverConnect, Finish, FromConnection, Link, Reset,
};
use crate::environment;
use crate::error::Error;
use crate::response::Outcome;
use crate::source::{ServerLoad, Source};
use crate::telemetry::{Counters, HandlerName, events};

/// A client on a session that this crate set up.
pub trait PgClient: Sized + Send + 'static {
    /// The SQL with which the client sets its sessions up.
    const SET_UP: &'static str = "";

    /// `true` if its errors do not tell the server's code.
    const HIDES_CODES: bool = false;

    /// Makes the client from that of tokio-postgres.
    fn adopt(client: Client) -> impl Future<Output = Result<Self, Error>> + Send;

    /// Undoes what a handler has set in the client itself.
    fn reset(&mut self) {}

    /// Forgets what is known of statements or types. Returns `false` if that is impossible.
    fn forget(&mut self, stale: Stale) -> bool;
}

impl PgClient for Client {
    async fn adopt(client: Client) -> Result<Self, Error> {
        Ok(client)
    }

    /// Forgets the types. The statements are the handlers'.
    fn forget(&mut self, _: Stale) -> bool {
        self.clear_type_cache();
        true
    }
}

/// A session of PostgreSQL with a client, kept for handlers that take the client.
pub struct PgSessionOf<C> {
    client: C,
    session: Session,
}

impl<C> fmt::Debug for PgSessionOf<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgSessionOf").finish_non_exhaustive()
    }
}

impl<C: PgClient> PgSession for PgSessionOf<C> {
    type Error = PgError;

    const SET_UP: &'static str = C::SET_UP;

    async fn texts(&mut self, sql: String) -> Result<Vec<String>, PgError> {
        self.session.run(&sql).await
    }

    async fn outside_transaction(&mut self, sql: &str) -> Result<bool, PgError> {
        self.session.run_outside_transaction(sql).await
    }

    async fn detect_passed_names(&mut self, source: &Source) -> Result<(), PgError> {
        self.session.expect_renamed_statements(source).await
    }

    /// Does nothing. A session with passed names is refused.
    async fn forget_passed_names(&mut self, _: &Source) -> Result<(), PgError> {
        Ok(())
    }
}

impl<C: PgClient> PgSessionOf<C> {
    /// Returns the client of the session.
    pub(in crate::drivers) fn client(&mut self) -> &mut C {
        &mut self.client
    }

    /// Makes the client forget what the server has contradicted, waits for the answers to its
    /// requests, and ends a transaction that is open. Returns `true` if there was one.
    async fn settle(&mut self) -> Result<bool, Error> {
        if let Some(stale) = self.session.take_stale() {
            self.forget(stale)?;
        }
        self.session.settle().await
    }

    fn forget(&mut self, stale: Stale) -> Result<(), Error> {
        let cause = "the client cannot forget a type that has changed";
        let is_forgotten = self.client.forget(stale);
        is_forgotten
            .then_some(())
            .ok_or_else(|| Error::broken(cause))
    }
}

impl<C: PgClient> Connect for PgSessionOf<C> {
    const DRIVER: Option<Driver<Self>> = Some(Driver::of());

    fn connect(source: &Source) -> impl Future<Output = Result<Self, Error>> + Send {
        boxed(async move {
            let attempt = Attempt::single(source, Counters::of_process()).await?;
            let (connection, _link) = open::open(source, &attempt).await?;
            Ok(connection)
        })
    }

    fn check(&mut self, source: &Source) -> impl Future<Output = Result<(), Error>> + Send {
        let source = *source;
        boxed(async move {
            self.session.read_answers().await?;
            postgres::check(self, &source).await.map_err(Error::broken)
        })
    }

    fn needs_quiesce(&self) -> bool {
        self.session.needs_quiesce()
    }

    fn quiesce(&mut self, _: &Source) -> impl Future<Output = Result<(), Error>> + Send {
        boxed(async move {
            if self.settle().await? {
                events::left_open(&environment::function(), HandlerName::UNKNOWN);
            }
            Ok(())
        })
    }

    fn close(self) -> impl Future<Output = ()> + Send {
        let Self { client, session } = self;
        // The task says goodbye once it has no client.
        drop(client);
        boxed(async move { session.end().await })
    }
}

impl<C: PgClient> DriverConnect for PgSessionOf<C> {
    const IS_EXCLUSIVE: bool = true;
    const INSPECTS: bool = true;

    fn resets_all(source: &Source) -> bool {
        !target::is_proxy(source)
    }

    /// Returns `true` if its stream has ended while it was idle, or if a task has used it.
    fn is_doubtful(&self) -> bool {
        self.needs_quiesce()
    }

    fn connect_attempt<'a>(source: &'a Source, attempt: &'a Attempt) -> Answer<'a, (Self, Link)> {
        Box::pin(open::open(source, attempt))
    }

    fn reset<'a>(&'a mut self, source: &'a Source) -> Answer<'a, Reset> {
        Box::pin(async {
            self.client.reset();
            self.settle().await?;
            postgres::reset(self, source).await.map_err(Error::broken)
        })
    }

    fn inspect<'a>(&'a mut self, source: &'a Source) -> Answer<'a, bool> {
        Box::pin(async { postgres::inspect(self, source).await.map_err(Error::broken) })
    }

    fn outcome(&self, outcome: Outcome) -> Outcome {
        let of_server = self.session.take_outcome().filter(|_| C::HIDES_CODES);
        match outcome {
            Outcome::Rejected => of_server.unwrap_or(outcome),
            outcome => outcome,
        }
    }

    fn expect_own_session(source: &Source) -> Result<(), Error> {
        target::expect_own_session(source)
    }

    fn clear(&mut self) -> Answer<'_, ()> {
        Box::pin(async {
            self.forget(Stale::Statements)?;
            // The client closes them.
            self.session.read_answers().await
        })
    }

    fn server_load<'a>(
        &'a mut self,
        source: &'a Source,
        least_idle: Duration,
    ) -> Answer<'a, Option<ServerLoad>> {
        Box::pin(async move {
            if !load::is_asked(source) {
                return Ok(None);
            }
            load::of_answer(postgres::server_load(self, source, least_idle).await)
        })
    }
}

/// A handler that takes `&mut Client` gets the client of a session that is kept.
#[diagnostic::do_not_recommend]
impl FromConnection for Client {
    type Connection = PgSessionOf<Self>;
    type Open<'c> = &'c mut Self;

    const NEEDS_OWN_SESSION: bool = true;

    async fn open<'c>(
        connection: &'c mut PgSessionOf<Self>,
        _: &Source,
    ) -> Result<&'c mut Self, Error> {
        Ok(connection.client())
    }
}

#[diagnostic::do_not_recommend]
impl Finish for &mut Client {
    async fn finish(self, _: Outcome) -> Result<(), Error> {
        Ok(())
    }
}
