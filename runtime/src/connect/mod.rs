//! What can be kept.

use std::time::Duration;

use crate::guard::Load;
use crate::{Error, Source};

/// A connection, pool or client that can be kept across invocations.
///
/// The drivers behind the features `postgres`, `mysql`, `sqlite` and `any` implement it for sqlx's
/// connections and pools; implement it for a client of your own to annotate handlers with that:
///
/// ```
/// use reuse_db::{Connect, Error, Source};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt, BufStream};
/// use tokio::net::TcpStream;
///
/// /// A client of some line protocol.
/// pub struct Lines(BufStream<TcpStream>);
///
/// impl Connect for Lines {
///     async fn connect(source: &Source) -> Result<Self, Error> {
///         let stream = TcpStream::connect(source.url()?).await.map_err(Error::unavailable)?;
///         Ok(Self(BufStream::new(stream)))
///     }
///
///     async fn check(&mut self) -> Result<(), Error> {
///         self.0.write_all(b"PING\n").await.map_err(Error::unsound)?;
///         self.0.flush().await.map_err(Error::unsound)?;
///         match self.0.read_u8().await.map_err(Error::unsound)? {
///             b'+' => Ok(()),
///             other => Err(Error::unsound(format!("answered {other} to PING"))),
///         }
///     }
/// }
/// ```
///
/// None of its methods needs a time limit of its own: the caller sets one and drops the future, and
/// with it the connection, when that has passed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a database that can be kept",
    label = "no connection, pool or client that reuse-db knows",
    note = "sqlx's are known with the feature of reuse-db for their driver: `postgres`, `mysql`, `sqlite` or `any`",
    note = "for a client of your own write `impl reuse_db::Connect for {Self}`"
)]
pub trait Connect: Sized + Send + 'static {
    /// Whether it is for one invocation alone, which takes it as `&mut`, or for many at once, which
    /// take it as `&` or by value; `None` where both make sense. Only for a better error.
    #[doc(hidden)]
    const EXCLUSIVE: Option<bool> = None;

    /// Opens it.
    ///
    /// # Errors
    ///
    /// [`Error::unavailable`] and [`Error::saturated`] are tried again until the time is up,
    /// [`Error::rejected`] is not.
    fn connect(source: &Source) -> impl Future<Output = Result<Self, Error>> + Send;

    /// Asks the other side for a sign of life, in one round trip.
    ///
    /// # Errors
    ///
    /// Any error means that it cannot be used any more.
    fn check(&mut self) -> impl Future<Output = Result<(), Error>> + Send;

    /// The same, and that the other side takes writes, for a source that needs them
    /// ([`Source::read_write`]). Default: [`check`](Self::check).
    ///
    /// # Errors
    ///
    /// Any error means that it cannot be used any more.
    fn check_writer(&mut self) -> impl Future<Output = Result<(), Error>> + Send {
        self.check()
    }

    /// Checks it after a failed invocation, as `source` says, and takes back what that invocation has set
    /// in the session: nothing of it is for the next one. Default: only checks it.
    ///
    /// `PgConnection` does what DISCARD ALL does, but keeps prepared statements, in the round trip of the
    /// check; `MySqlConnection` ends the transaction and releases tables and locks (variables and
    /// temporary tables stay). Each then runs [`Source::on_connect`]. A server that does not take all of
    /// it costs the connection.
    ///
    /// # Errors
    ///
    /// Any error means that it cannot be used any more.
    fn reset(&mut self, source: &Source) -> impl Future<Output = Result<(), Error>> + Send {
        check(self, source)
    }

    /// Whether something may be queued, unread or open that must not be frozen: then
    /// [`rest`](Self::rest) is run before it is kept. Default: `false`.
    fn unfinished(&self) -> bool {
        false
    }

    /// Brings it to rest after a successful invocation: sends what is queued, reads what is unread.
    /// Where there is nothing to do it must return at its first poll, and it must not ask the other
    /// side for anything just to be sure. Default: [`check`](Self::check).
    ///
    /// # Errors
    ///
    /// Any error means that it cannot be used any more: it still has an open transaction, for
    /// example.
    fn rest(&mut self) -> impl Future<Output = Result<(), Error>> + Send {
        self.check()
    }

    /// How full the other side is; `None` if it does not say.
    #[doc(hidden)]
    fn load(&mut self) -> impl Future<Output = Result<Option<Load>, Error>> + Send {
        std::future::ready(Ok(None))
    }

    /// Ends up to `most` sessions of other sandboxes of this function that have been idle for `idle`,
    /// the oldest first, and says how many.
    #[doc(hidden)]
    fn reap(
        &mut self,
        _idle: Duration,
        _most: u64,
    ) -> impl Future<Output = Result<u64, Error>> + Send {
        std::future::ready(Ok(0))
    }

    /// Reads the URL and asks for credentials again, for the connections that it opens by itself from here
    /// on.
    #[doc(hidden)]
    fn renew(&self, _source: &Source) -> impl Future<Output = Result<(), Error>> + Send {
        std::future::ready(Ok(()))
    }

    /// Closes it politely. Default: drops it.
    fn close(self) -> impl Future<Output = ()> + Send {
        drop(self);
        std::future::ready(())
    }
}

/// The check that `source` asks for.
pub(crate) async fn check<C: Connect>(kept: &mut C, source: &Source) -> Result<(), Error> {
    if source.read_write {
        kept.check_writer().await
    } else {
        kept.check().await
    }
}
