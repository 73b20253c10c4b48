//! The static behind a `&mut` parameter.

use std::fmt;
use std::marker::PhantomData;

use super::{Lease, Static};
use crate::connect::{FromConnection, retry};
use crate::error::Error;
use crate::source::Source;
use crate::telemetry::{HandlerName, Stats};

/// The static for exclusive use: kept connections, each lent to one invocation at a time.
///
/// `#[reuse_db]` makes one for each `&mut` parameter. Statics of the same connection type and
/// equal [`Source`]s share their connections, so twenty annotated handlers keep one connection.
/// Connections belong to the tokio runtime that opened them: each `#[tokio::test]` gets its own,
/// which end with it.
///
/// Without the attribute:
///
/// ```no_run
/// # #[cfg(feature = "postgres")] mod postgres {
/// use reuse_db::{Exclusive, Lease, Outcome, Source};
/// use sqlx::PgConnection;
///
/// static DB: Exclusive<PgConnection> = Exclusive::new(Source::env("DATABASE_URL"));
///
/// async fn users() -> Result<i64, reuse_db::Error> {
///     let mut lease = DB.lease().await?;
///     let db = Lease::open(&mut lease).await?;
///     let users = sqlx::query_scalar("select count(*) from users").fetch_one(db).await?;
///     Lease::settle(lease, Outcome::Success);
///     Ok(users)
/// }
/// # }
/// ```
pub struct Exclusive<H: ?Sized> {
    inner: Static,
    handle: PhantomData<fn(&H)>,
}

impl<H: ?Sized> Exclusive<H> {
    /// Creates a static that connects to `source` on first use.
    #[must_use]
    pub const fn new(source: Source) -> Self {
        Self {
            inner: Static::new(source, HandlerName::UNKNOWN),
            handle: PhantomData,
        }
    }

    /// Creates a handler's static. For the attribute's expansion only.
    #[doc(hidden)]
    #[must_use]
    pub const fn of_handler(source: Source, module: &'static str, function: &'static str) -> Self {
        Self {
            inner: Static::new(source, HandlerName { module, function }),
            handle: PhantomData,
        }
    }

    /// Returns the counters of connections that were leased through this static.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.inner.stats()
    }
}

impl<H: FromConnection> Exclusive<H> {
    /// Leases a connection to the caller alone.
    ///
    /// That is the newest idle connection, checked first if it was idle for
    /// [`verify_after`](Source::verify_after), otherwise a new one.
    ///
    /// Dropping the future loses no connection and no permit. The runtime needs its timers, which
    /// `#[tokio::main]`, `#[tokio::test]` and `enable_all` turn on.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] if no connection was available within
    /// [`connect_timeout`](Source::connect_timeout), [`Error::Variable`] if the environment
    /// variable is unset or unusable, [`Error::NoRuntime`] outside tokio.
    pub async fn lease(&'static self) -> Result<Lease<H>, Error> {
        Lease::acquire(&self.inner).await
    }

    /// Opens a connection before the first invocation needs it. Await it in `main`, ahead of
    /// [`run`](crate::run).
    ///
    /// It takes no longer than a lease may. A failure is logged, and the first invocation tries
    /// again.
    ///
    /// ```no_run
    /// # #[cfg(feature = "postgres")] mod postgres {
    /// # use lambda_http::{Body, Error, Request, Response, service_fn};
    /// # use reuse_db::reuse_db;
    /// # use sqlx::PgConnection;
    /// #[reuse_db]
    /// async fn handler(_req: Request, db: &mut PgConnection) -> Result<Response<Body>, Error> {
    ///     # Ok(Response::new(Body::Empty))
    /// }
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), Error> {
    ///     HANDLER_DB.warm().await;
    ///     reuse_db::run(service_fn(handler)).await
    /// }
    /// # }
    /// ```
    ///
    /// It helps with provisioned concurrency, where Lambda initializes sandboxes ahead of traffic.
    /// The first invocation finds the connection open, and checks it in one round trip if it was
    /// idle for longer than [`verify_after`](Source::verify_after).
    ///
    /// The server ends such a connection after 901 s without an invocation. The first invocation
    /// then connects again.
    ///
    /// Each provisioned sandbox then holds a connection, even if it serves no invocation, while the
    /// server has [room](crate::docs::fleets). On demand it gains nothing, because the first
    /// invocation waits for the initialization. With SnapStart it does nothing: a snapshot must
    /// contain neither a socket nor the state of the random number generator that the password
    /// exchange used.
    pub async fn warm(&'static self) {
        retry::warm(async || self.lease().await.map(drop)).await;
    }
}

impl<H: ?Sized> fmt::Debug for Exclusive<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt("Exclusive", f)
    }
}
