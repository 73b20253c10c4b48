//! What a by-value parameter can be: a clone of what is shared, or a lease.

use crate::wrong_type::told;
use crate::{Connect, Error, Handle, Lease, Outcome, Shared, SharedLease, connecting};

told! {
    {
        "`{Self}` is not a database that can be kept and cloned",
        "no pool or client that reuse-db knows",
        "a connection or a transaction is taken as `&mut`; one that outlives the handler, in a streamed response, as a `Lease` of it",
        "a client of your own has to be `Sync` and `Clone`: write that, and `impl reuse_db::Connect for {Self}`"
    }
    /// What a by-value parameter can be.
    pub trait Owned: Sized {
        /// What stays with the outer function.
        type Rest: Rest;

        /// Leases it.
        ///
        /// # Errors
        ///
        /// Those of [`Parked::lease`](crate::Parked::lease).
        fn lease(from: &'static Shared<Self>) -> impl Future<Output = Result<(Self, Self::Rest), Error>> + Send;
    }
}

/// What stays with the outer function while the handler has the parameter.
pub trait Rest: Send {
    /// The handler has returned.
    fn settle(self, outcome: Outcome);
}

#[diagnostic::do_not_recommend]
impl<S: Connect + Sync + Clone> Owned for S {
    type Rest = SharedLease<S>;

    async fn lease(from: &'static Shared<S>) -> Result<(S, SharedLease<S>), Error> {
        let lease = from.lease().await?;
        Ok((SharedLease::get(&lease).clone(), lease))
    }
}

impl<S: Connect + Sync> Rest for SharedLease<S> {
    fn settle(self, outcome: Outcome) {
        Self::settle(self, outcome);
    }
}

/// The handler settles it itself, or its stream does.
#[diagnostic::do_not_recommend]
impl<H: Handle> Owned for Lease<H> {
    type Rest = ();

    async fn lease(from: &'static Shared<Self>) -> Result<(Self, ()), Error> {
        from.lease().await.map(|lease| (lease, ()))
    }
}

impl Rest for () {
    fn settle(self, _: Outcome) {}
}

/// The static of a [`Lease`] by value: it shares its connections with every
/// [`Parked`](crate::Parked) of the same connection and equal [`Source`](crate::Source).
impl<H: Handle> Shared<Lease<H>> {
    /// See [`Parked::lease`](crate::Parked::lease).
    ///
    /// # Errors
    ///
    /// Those of [`Parked::lease`](crate::Parked::lease).
    pub async fn lease(&'static self) -> Result<Lease<H>, Error> {
        Lease::take(&self.way, &self.source, &self.counters).await
    }

    /// See [`Parked::warm`](crate::Parked::warm).
    pub async fn warm(&'static self) {
        connecting::warm(async || self.lease().await.map(drop)).await;
    }
}
