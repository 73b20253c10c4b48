//! sqlx's connections, pools and transactions as databases that can be kept.

mod endpoint;
mod error;
mod error_kind;
mod impls;
mod session;
mod sqlx_pool;
mod transaction;
mod unsupported;

#[cfg(feature = "any")]
mod any;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use std::net::IpAddr;

use sqlx::{Connection, Database};

use crate::connect::DriverConnect;
use crate::error::Error;
use crate::source::{Credentials, ServerLoad, Source};

use impls::driver;

/// The options to connect to a database with.
type Options<DB> = <<DB as Database>::Connection as Connection>::Options;

/// The differences between sqlx's databases.
trait Driver: Database<Connection: DriverConnect> {
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

    /// Returns `true` if the server rejected a parameter that [`options`](Self::options) adds to
    /// the URL, and remembers that for its target: from then on nothing is added.
    fn rejected_startup_parameter(_error: &sqlx::Error, _source: &Source) -> bool {
        false
    }

    /// Returns SQL that limits the session's idle time. If the server rejects it, connecting goes
    /// on without it.
    fn idle_limit_sql(_source: &Source) -> Option<String> {
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

    /// Performs a health check after a failed invocation, and resets the session.
    fn reset(
        connection: &mut Self::Connection,
        source: &Source,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send {
        Self::check(connection, source)
    }

    /// Returns the server's number of connections, if it reports that.
    fn server_load(
        _connection: &mut Self::Connection,
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
