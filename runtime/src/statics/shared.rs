//! The static behind a `&S` or by-value parameter.

use std::fmt;
use std::marker::PhantomData;

use super::{Lease, LeaseEnd, Static};
use crate::connect::{Connect, FromConnection, retry};
use crate::error::Error;
use crate::pool::{SharedLease, SharedValue};
use crate::response::Outcome;
use crate::source::Source;
use crate::telemetry::{HandlerName, Stats};

/// The static for shared use: one pool or client that every invocation borrows or clones.
///
/// `#[reuse_db]` makes one for each `&S` or by-value parameter. Statics of the same type and equal
/// [`Source`]s share the value. Like a connection it belongs to the tokio runtime that opened it.
pub struct Shared<S: ?Sized> {
    inner: Static,
    value: PhantomData<fn(&S)>,
}

impl<S: ?Sized> Shared<S> {
    /// Creates a static that connects to `source` on first use.
    #[must_use]
    pub const fn new(source: Source) -> Self {
        Self {
            inner: Static::new(source, HandlerName::UNKNOWN),
            value: PhantomData,
        }
    }

    /// Creates a handler's static. For the attribute's expansion only.
    #[doc(hidden)]
    #[must_use]
    pub const fn of_handler(source: Source, module: &'static str, function: &'static str) -> Self {
        Self {
            inner: Static::new(source, HandlerName { module, function }),
            value: PhantomData,
        }
    }

    /// Returns the counters of values that were leased through this static.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.inner.stats()
    }
}

impl<S: Connect + Sync> Shared<S> {
    /// Leases the value, which is opened if there is none yet.
    ///
    /// The value gets a health check first if nobody else uses it, and it was idle for
    /// [`verify_after`](Source::verify_after) or its last invocation failed. It is replaced if it
    /// fails the check. A failure to connect is not remembered.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Exclusive::lease`](crate::Exclusive::lease).
    pub async fn lease(&'static self) -> Result<SharedLease<S>, Error> {
        let value = self.inner.pool(SharedValue::<S>::new)?;
        value.acquire(&self.inner.counters).await
    }

    /// Opens the value before the first invocation needs it. See
    /// [`Exclusive::warm`](crate::Exclusive::warm).
    pub async fn warm(&'static self) {
        retry::warm(async || {
            self.lease()
                .await
                .map(|lease| SharedLease::settle(lease, Outcome::Success))
        })
        .await;
    }
}

/// The static of a [`Lease`] by value. It shares its connections with every
/// [`Exclusive`](crate::Exclusive) of the same connection type and equal [`Source`].
impl<H: FromConnection> Shared<Lease<H>> {
    /// Leases a connection. See [`Exclusive::lease`](crate::Exclusive::lease).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Exclusive::lease`](crate::Exclusive::lease).
    pub async fn lease(&'static self) -> Result<Lease<H>, Error> {
        Lease::acquire(&self.inner).await
    }

    /// Makes a lease that connects when it is opened, and the part of it that stays with the
    /// annotated function.
    pub(crate) fn lease_on_first_use(&'static self) -> (Lease<H>, LeaseEnd<H::Connection>) {
        Lease::on_first_use(&self.inner)
    }

    /// Opens a connection before the first invocation needs it. See
    /// [`Exclusive::warm`](crate::Exclusive::warm).
    pub async fn warm(&'static self) {
        retry::warm(async || self.lease().await.map(drop)).await;
    }
}

impl<S: ?Sized> fmt::Debug for Shared<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt("Shared", f)
    }
}
