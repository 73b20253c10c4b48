//! Opening connections, and what a type must implement to be kept.

#[cfg_attr(not(feature = "_sqlx"), allow(dead_code, reason = "for drivers"))]
mod attempt;
pub(crate) mod diagnostics;
#[cfg_attr(
    not(any(feature = "_sqlx", feature = "redis")),
    allow(dead_code, reason = "for drivers")
)]
mod driver;
mod from_connection;
pub(crate) mod health;
mod link;
pub(crate) mod retry;
#[cfg_attr(not(feature = "_mysql"), allow(dead_code, reason = "for MySQL"))]
mod session_id;

pub(crate) use attempt::{Attempt, catch_panic};
#[cfg(any(feature = "_stream", feature = "_diesel", feature = "sea-orm"))]
#[cfg_attr(
    not(any(feature = "_stream", feature = "_diesel")),
    allow(unused_imports, reason = "for a database of SeaORM")
)]
pub(crate) use driver::Answer;
pub(crate) use driver::Cure;
pub use driver::Driver;
#[cfg(any(feature = "_driver", test))]
pub(crate) use driver::DriverConnect;
pub(crate) use driver::Reset;
#[cfg(feature = "_sqlx")]
pub(crate) use driver::Unused;
pub use from_connection::{Finish, FromConnection};
pub(crate) use link::Link;
pub(crate) use session_id::SessionId;

use crate::error::Error;
use crate::source::Source;

/// A connection, pool or client that can be kept across invocations.
///
/// The features of the drivers implement it for the types of [the clients](crate::docs::clients).
/// Implement it for a client of your own to annotate handlers with that client:
///
/// ```
/// use reuse_db::{Connect, Error, Source};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt, BufStream};
/// use tokio::net::TcpStream;
///
/// /// A client of a line protocol.
/// pub struct Lines(BufStream<TcpStream>);
///
/// impl Connect for Lines {
///     async fn connect(source: &Source) -> Result<Self, Error> {
///         let stream = TcpStream::connect(source.url()?).await.map_err(Error::unavailable)?;
///         Ok(Self(BufStream::new(stream)))
///     }
///
///     async fn check(&mut self, _: &Source) -> Result<(), Error> {
///         self.0.write_all(b"PING\n").await.map_err(Error::broken)?;
///         self.0.flush().await.map_err(Error::broken)?;
///         match self.0.read_u8().await.map_err(Error::broken)? {
///             b'+' => Ok(()),
///             other => Err(Error::broken(format!("answered {other} to PING"))),
///         }
///     }
/// }
/// ```
///
/// [A client of your own](crate::docs::your_own_client) explains each step. Its examples are a
/// client with a session token, and a shared one.
///
/// No method needs a time limit of its own. The caller sets one; when it has passed, the caller
/// drops the future and the connection.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a database",
    label = "expected a connection, a pool or a client",
    note = "a type of sqlx needs its driver's feature of reuse-db",
    note = "your own client needs `impl reuse_db::Connect for {Self}`"
)]
pub trait Connect: Sized + Send + 'static {
    /// The extras of this crate's drivers.
    #[doc(hidden)]
    const DRIVER: Option<Driver<Self>> = None;

    /// Opens a connection.
    ///
    /// # Errors
    ///
    /// [`Error::unavailable`] and [`Error::saturated`] are retried until the time is up.
    /// [`Error::rejected`] is not.
    fn connect(source: &Source) -> impl Future<Output = Result<Self, Error>> + Send;

    /// Performs a health check: a request that the other side answers, in one round trip.
    ///
    /// It runs before an invocation if the connection was idle for
    /// [`verify_after`](Source::verify_after), and after an invocation that failed.
    ///
    /// The connections of this crate also check that no transaction is open and, for
    /// [`read_write`](Source::read_write), that the server accepts writes.
    ///
    /// After a failed invocation the connections of this crate are also reset, see
    /// [the guarantees](crate::docs::guarantees#nothing-crosses-invocations). A type of yours that
    /// wraps such a connection is only checked. Nor does it get a driver's other extras: further
    /// addresses of the host, renewal of a pool's credentials, load shedding.
    ///
    /// # Errors
    ///
    /// On any error the connection is dropped and replaced.
    fn check(&mut self, source: &Source) -> impl Future<Output = Result<(), Error>> + Send;

    /// Returns `true` if something may be queued, unread or open that must not be frozen. Then
    /// [`quiesce`](Self::quiesce) runs after the invocation. A shared value is not quiesced, but
    /// waited for until this is `false`. Default: `false`.
    fn needs_quiesce(&self) -> bool {
        false
    }

    /// Sends what is queued and reads what is unread, after a successful invocation.
    ///
    /// If there is nothing to do, it must return at the first poll, and it must not send a request.
    /// Default: [`check`](Self::check).
    ///
    /// # Errors
    ///
    /// On any error, such as a transaction that is still open, the connection is dropped.
    fn quiesce(&mut self, source: &Source) -> impl Future<Output = Result<(), Error>> + Send {
        self.check(source)
    }

    /// Closes the connection. Default: drops it.
    fn close(self) -> impl Future<Output = ()> + Send {
        drop(self);
        std::future::ready(())
    }
}

#[cfg(test)]
mod tests;
