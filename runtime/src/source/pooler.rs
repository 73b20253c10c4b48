//! Poolers in front of the server.

use super::Source;
use super::server_limits::ServerLimit;

/// The mode of a pooler in front of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pooler {
    /// A client has a session for one transaction.
    Transaction,
    /// A client has a session until it disconnects.
    Session,
}

impl Source {
    /// Declares that the URL leads to a pooler in transaction mode, such as PgBouncer, which may
    /// use another session for each transaction. For PostgreSQL. Default: no pooler.
    ///
    /// The handler takes `&mut Transaction<'_, Postgres>`, and each statement in it is safe.
    /// `&mut PgConnection` and pools are refused with an [`Error::Connect`](crate::Error::Connect):
    /// sqlx 0.9 prepares a statement in one round trip and runs it in the next. Outside a
    /// transaction the pooler may change the session in between, and the other session may run
    /// **another client's statement**.
    ///
    /// Connections set no [`idle_session_timeout`](Self::idle_session_timeout) and send no start-up
    /// parameter that a pooler rejects (`options`, `extra_float_digits`). A new connection asks in
    /// four round trips whether the pooler renames prepared statements, as PgBouncer 1.21 and later
    /// do with `max_prepared_statements` above 0. If not, BEGIN removes the session's statements in
    /// its own round trip, and each transaction prepares its statements anew.
    ///
    /// After a failed invocation the session is checked but not reset, because clients share it.
    /// Settings belong into the transaction: `set local`, `set_config(…, true)`.
    ///
    /// Without this declaration, a pooler that rejects the start-up parameters is noticed at the
    /// first connect, and is then treated in the same way. `AnyConnection` always sends
    /// `extra_float_digits`; list it in PgBouncer's `ignore_startup_parameters`.
    ///
    /// [Transaction poolers](crate::docs::transaction_pooler) has the details.
    #[must_use]
    pub const fn transaction_pooler(mut self) -> Self {
        self.pooler = Some(Pooler::Transaction);
        self.idle_session_timeout = ServerLimit::Off;
        self
    }

    /// Declares that the URL leads to a pooler in session mode, where each client has a session of
    /// its own. For PostgreSQL. Default: no pooler.
    ///
    /// Connections set no [`idle_session_timeout`](Self::idle_session_timeout) and send no start-up
    /// parameter that a pooler rejects, and do not ask for the server's load. Everything else is as
    /// without a pooler.
    #[must_use]
    pub const fn session_pooler(mut self) -> Self {
        self.pooler = Some(Pooler::Session);
        self.idle_session_timeout = ServerLimit::Off;
        self
    }
}
