//! A by-value parameter: a clone of a shared value, or a lease.

use crate::connect::diagnostics::database_trait;
use crate::connect::{Connect, FromConnection};
use crate::error::Error;
use crate::pool::SharedLease;
use crate::response::Outcome;
use crate::statics::{Lease, Shared};

database_trait! {
    {
        "`{Self}` is not a database that can be kept and cloned",
        "not a pool or client that reuse-db knows",
        "a connection or a transaction is taken as `&mut`; one that outlives the handler, in a streamed response, as a `Lease` of it",
        "a client of your own has to be `Sync` and `Clone`: write that, and `impl reuse_db::Connect for {Self}`"
    }
    /// A type that a handler can take by value.
    pub trait ByValue: Sized {
        /// The part that stays with the outer function.
        type OnReturn: SettleOnReturn;

        /// Leases the value.
        ///
        /// # Errors
        ///
        /// Returns the errors of [`Exclusive::lease`](crate::Exclusive::lease).
        fn lease(
            from: &'static Shared<Self>,
        ) -> impl Future<Output = Result<(Self, Self::OnReturn), Error>> + Send;
    }
}

/// The part of a by-value parameter that is settled when the handler has returned.
pub trait SettleOnReturn: Send {
    /// Settles it.
    fn settle(self, outcome: Outcome);
}

#[diagnostic::do_not_recommend]
impl<S: Connect + Sync + Clone> ByValue for S {
    type OnReturn = SharedLease<S>;

    async fn lease(from: &'static Shared<S>) -> Result<(S, SharedLease<S>), Error> {
        let lease = from.lease().await?;
        Ok((SharedLease::get(&lease).clone(), lease))
    }
}

impl<S: Connect + Sync> SettleOnReturn for SharedLease<S> {
    fn settle(self, outcome: Outcome) {
        Self::settle(self, outcome);
    }
}

/// The handler or its stream settles the lease.
#[diagnostic::do_not_recommend]
impl<H: FromConnection> ByValue for Lease<H> {
    type OnReturn = ();

    async fn lease(from: &'static Shared<Self>) -> Result<(Self, ()), Error> {
        from.lease().await.map(|lease| (lease, ()))
    }
}

impl SettleOnReturn for () {
    fn settle(self, _: Outcome) {}
}
