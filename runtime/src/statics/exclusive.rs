//! The static behind a `&mut` parameter.

use std::marker::PhantomData;

use crate::registry::Way;
use crate::stats::Counters;
use crate::{Error, Handle, Lease, Source, Stats, connecting};

/// The static for exclusive handles: the kept connections, lent to one invocation at a time.
///
/// `#[reuse_db]` makes one for each `&mut` parameter. Statics of the same connection and equal
/// [`Source`] share their connections; so twenty annotated handlers keep one and not twenty.
/// Connections belong to the tokio runtime that opened them: each `#[tokio::test]` gets its own,
/// which end with it.
///
/// Without the attribute:
///
/// ```no_run
/// # #[cfg(feature = "postgres")] mod postgres {
/// use reuse_db::{Lease, Outcome, Parked, Source};
/// use sqlx::PgConnection;
///
/// static DB: Parked<PgConnection> = Parked::new(Source::env("DATABASE_URL"));
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
pub struct Parked<H: ?Sized> {
    source: Source,
    way: Way,
    counters: Counters,
    handle: PhantomData<fn(&H)>,
}

impl<H: ?Sized> Parked<H> {
    /// A static that connects to `source` on first use.
    #[must_use]
    pub const fn new(source: Source) -> Self {
        Self {
            source,
            way: Way::new(),
            counters: Counters::new(),
            handle: PhantomData,
        }
    }

    /// What happened to connections that were leased through this static.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.counters.read()
    }
}

impl<H: Handle> Parked<H> {
    /// Leases a connection to the caller alone: the newest idle one, checked first if it has been
    /// idle for [`verify_after`](Source::verify_after); else a new one.
    ///
    /// Dropping the future at any point loses no connection and no permit. The runtime needs its
    /// timers, which `#[tokio::main]`, `#[tokio::test]` and `enable_all` turn on.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] if no connection could be had within
    /// [`connect_timeout`](Source::connect_timeout), [`Error::Variable`] if it is not said where to
    /// connect, [`Error::NoRuntime`] outside tokio.
    pub async fn lease(&'static self) -> Result<Lease<H>, Error> {
        Lease::take(&self.way, &self.source, &self.counters).await
    }

    /// Opens a connection now, before the first invocation needs it: to be awaited in `main`, ahead
    /// of [`run`](crate::run). It takes no longer than a lease may; a failure is logged, and the first
    /// invocation tries anew.
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
    /// It pays with provisioned concurrency, where Lambda initializes sandboxes ahead of traffic: the
    /// first invocation finds the connection open (and checks it, one round trip, if it has been idle
    /// for longer than [`verify_after`](Source::verify_after)). It wastes connections where many
    /// sandboxes are provisioned and few are used, since each holds one. On demand it gains nothing:
    /// the first invocation waits for the initialization, whatever is done in it.
    ///
    /// With SnapStart it does nothing, since no connection may be in a snapshot: neither its socket
    /// nor the state of the random number generator that its password's exchange has used.
    pub async fn warm(&'static self) {
        connecting::warm(async || self.lease().await.map(drop)).await;
    }
}

impl<H: ?Sized> std::fmt::Debug for Parked<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parked")
            .field("source", &self.source)
            .field("stats", &self.stats())
            .finish()
    }
}
