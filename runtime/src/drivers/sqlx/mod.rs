//! sqlx's connections, pools and transactions as databases that can be kept.

mod endpoint;
mod error;
mod error_kind;
pub(crate) mod failure;
mod impls;
mod load;
#[cfg(any(feature = "postgres", feature = "any"))]
mod parameters;
#[cfg_attr(
    not(any(feature = "mysql", feature = "postgres")),
    allow(dead_code, reason = "for drivers of a server")
)]
mod rds_roots;
#[cfg(all(
    feature = "sea-orm",
    any(feature = "mysql", feature = "postgres", feature = "sqlite")
))]
mod sea_orm;
mod session;
mod sqlx_pool;
#[cfg(any(feature = "postgres", feature = "any"))]
mod statement_cache;
mod tls_files;
mod transaction;

#[cfg(feature = "any")]
mod any;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "sqlite")]
mod sqlite_end;

use std::net::IpAddr;
use std::time::Duration;

use sqlx::database::HasStatementCache;
use sqlx::{Connection, Database, Transaction};

use crate::connect::{DriverConnect, Reset, SessionId, Unused};
use crate::error::Error;
use crate::source::{Credentials, ServerLoad, Source};

use impls::driver;

/// The options to connect to a database with.
type Options<DB> = <<DB as Database>::Connection as Connection>::Options;

/// Returns the path of a socket that no system can open.
#[cfg(any(feature = "postgres", feature = "mysql", feature = "any"))]
fn too_long_path() -> String {
    "/".repeat(4096)
}

/// The differences between sqlx's databases.
trait Driver: Database<Connection: DriverConnect> + HasStatementCache {
    /// Returns `true` if a session after [`reset`](Self::reset) equals a new one.
    fn resets_all(_source: &Source) -> bool {
        false
    }

    /// See [`DriverConnect::COUNTS_ABORTED_HANDSHAKES`].
    const COUNTS_ABORTED_HANDSHAKES: bool = false;

    /// Returns the options of the source's URL, with what can be added to them without a round
    /// trip.
    fn options(url: &str, source: &Source) -> Result<Options<Self>, Error>;

    /// Replaces user name and password, or returns `None` if the driver does not support that.
    fn with_credentials(
        _options: Options<Self>,
        _credentials: &Credentials,
    ) -> Option<Options<Self>> {
        None
    }

    /// Returns `true` if the options name a path: of a socket, or of the database itself.
    fn uses_path(_options: &Options<Self>) -> bool {
        true
    }

    /// Returns the server's TCP port, or `None` for a path.
    fn port(_options: &Options<Self>) -> Option<u16> {
        None
    }

    /// Returns the host whose addresses may be used in place of its name.
    ///
    /// Returns `None` for a socket, and for a host name that TLS verifies, because sqlx takes the
    /// name to verify from the host.
    fn host(_options: &Options<Self>) -> Option<String> {
        None
    }

    /// Replaces the host by one of its addresses.
    fn with_host(options: Options<Self>, _address: IpAddr) -> Options<Self> {
        options
    }

    /// Returns options with which an attempt to connect fails at once, with an I/O error of the
    /// kind `InvalidInput` or `Unsupported`. `None` if sqlx's pool tries only once anyway.
    fn failing(_options: &Options<Self>) -> Option<Options<Self>> {
        None
    }

    /// Returns `true` if the server rejected a parameter of the `sent` options that
    /// [`options`](Self::options) adds to the URL, and remembers that for its target: from then on
    /// it is not added.
    fn rejected_startup_parameter(
        _error: &sqlx::Error,
        _source: &Source,
        _sent: &Options<Self>,
    ) -> bool {
        false
    }

    /// Returns SQL that sets the limits of the session. If the server rejects it, connecting goes
    /// on without it.
    fn limits_sql(_source: &Source) -> Option<String> {
        None
    }

    /// Runs SQL without preparing it, in one round trip.
    fn execute(
        connection: &mut Self::Connection,
        sql: String,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Performs a health check in one round trip. It rolls back an open transaction, and checks
    /// that the server accepts writes if the source requires that.
    fn check(
        connection: &mut Self::Connection,
        source: &Source,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Runs the SQL that sets up a new connection, in one round trip. Returns the identity of the
    /// session if the server does not notice by itself that a client hangs up.
    fn set_up(
        connection: &mut Self::Connection,
        _source: &Source,
        sql: String,
    ) -> impl Future<Output = Result<Option<SessionId>, sqlx::Error>> + Send {
        async { Self::execute(connection, sql).await.map(|()| None) }
    }

    /// Returns the identity of a session whose set-up has told none.
    fn identify(
        _connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<Option<SessionId>, sqlx::Error>> + Send {
        std::future::ready(Ok(None))
    }

    /// Ends a session of the source's user, and its statement.
    fn end_session(
        _source: &Source,
        _session: SessionId,
    ) -> impl Future<Output = Result<(), Error>> + Send {
        std::future::ready(Ok(()))
    }

    /// Ends those of the `sessions` of the source's user that run a statement, if `unused` returns
    /// `true` before and after they are found.
    fn end_busy(
        _source: &Source,
        _sessions: &[SessionId],
        _unused: Unused,
    ) -> impl Future<Output = Result<(), Error>> + Send {
        std::future::ready(Ok(()))
    }

    /// Sets up a connection behind a pooler whose sessions clients share.
    fn set_up_shared(
        _connection: &mut Self::Connection,
        _source: &Source,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send {
        std::future::ready(Ok(()))
    }

    /// Performs a health check after an invocation, and resets the session.
    fn reset(
        connection: &mut Self::Connection,
        source: &Source,
    ) -> impl Future<Output = Result<Reset, sqlx::Error>> + Send {
        async {
            Self::check(connection, source)
                .await
                .map(|()| Reset::Partial)
        }
    }

    /// Ends what a handler left behind that succeeded: a transaction begun in SQL, and locks of the
    /// session. Returns `true` if there was a transaction.
    fn inspect(
        connection: &mut Self::Connection,
        source: &Source,
    ) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;

    /// Begins the transaction of an invocation.
    fn begin<'c>(
        connection: &'c mut Self::Connection,
        _source: &Source,
    ) -> impl Future<Output = Result<Transaction<'c, Self>, sqlx::Error>> + Send {
        connection.begin()
    }

    /// Commits the transaction of an invocation. Fails if it has ended before, or if a statement in
    /// it has failed and the server will roll it back.
    fn commit(
        transaction: Transaction<'_, Self>,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send {
        transaction.commit()
    }

    /// Closes the prepared statements of a session.
    fn clear(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send {
        connection.clear_cached_statements()
    }

    /// Asks for the server's load, and sets the session's idle limit by it. See
    /// [`DriverConnect::server_load`]. Returns `None` if the server does not report its load.
    fn server_load(
        _connection: &mut Self::Connection,
        _source: &Source,
        _least_idle: Duration,
    ) -> impl Future<Output = Result<Option<ServerLoad>, sqlx::Error>> + Send {
        std::future::ready(Ok(None))
    }

    /// Sends what is queued and reads what is unread.
    fn quiesce(
        connection: &mut Self::Connection,
        source: &Source,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send {
        session::quiesce::<Self>(connection, source)
    }
}
