//! Health checks, and the reset of a session.

use std::time::Duration;

use super::Source;

impl Source {
    /// Sets the idle time, by the monotonic and the wall clock, after which a connection gets a
    /// health check before it is used. A check costs one round trip. Default: 1 s.
    #[must_use]
    pub const fn verify_after(mut self, idle: Duration) -> Self {
        self.verify_after = idle;
        self
    }

    /// Limits a health check, and each step of background work after a response. A connection
    /// that has not answered by then is dropped. Default: 500 ms.
    #[must_use]
    pub const fn check_timeout(mut self, limit: Duration) -> Self {
        self.check_timeout = limit;
        self
    }

    /// Requires a server that accepts writes. Default: not required.
    ///
    /// A health check then fails if the server is read-only, as a writer is after it was demoted in
    /// a failover (PostgreSQL error 25006; MySQL 1290 and 1836). The question is part of the health
    /// check's round trip. A busy connection is checked every 10 s, after a response.
    ///
    /// A new connection is opened by the host's name, and asked in one more round trip. While the
    /// name still leads to a read-only server, connecting is retried until the time is up.
    #[must_use]
    pub const fn read_write(mut self) -> Self {
        self.read_write = true;
        self
    }

    /// Resets the session after each invocation, also after a success, so that no setting reaches
    /// the next one. Default: only after a failed invocation.
    ///
    /// Use it if requests set a tenant, a role, a `search_path` or a temporary table. The reset
    /// follows the response:
    ///
    /// | connection | reset | cost |
    /// |---|---|---|
    /// | PostgreSQL | settings, role, temporary tables, cursors, LISTEN, advisory locks, SQL-level PREPARE | one round trip |
    /// | MySQL, MariaDB, SQLite, your own client | a new connection replaces the old one | a connect |
    /// | pool on PostgreSQL | each connection when it returns to the pool | one round trip for each return |
    /// | pool on MySQL, MariaDB, SQLite | each connection is closed when it returns to the pool | a connect for each use |
    ///
    /// Prepared statements that the client has cached are kept. A reset session equals a new one,
    /// with one exception of PostgreSQL: a custom setting that was set once reads as `''` and no
    /// longer as NULL. On PostgreSQL [`on_connect`](Self::on_connect) runs again after the reset.
    ///
    /// A SQLite database in memory ends with its connection. Behind a pooler in transaction mode,
    /// declared or not, this method has no effect, because clients share the sessions: use
    /// `set local`. Behind another proxy that rejected a start-up parameter, such as RDS Proxy, a
    /// new connection replaces the old one.
    #[must_use]
    pub const fn reset_session(mut self) -> Self {
        self.reset_session = true;
        self
    }
}
