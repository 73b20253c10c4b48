//! A by-value parameter: a clone of a shared value, or a lease.

use crate::connect::diagnostics::database_trait;
use crate::connect::{Connect, FromConnection};
use crate::error::Error;
use crate::pool::SharedLease;
use crate::response::Outcome;
use crate::statics::{Lease, LeaseEnd, Shared};

database_trait! {
    {
        "`{Self}` cannot be a database parameter by value",
        "expected a pool, a client that is `Clone`, or a `Lease`",
        "write `&mut` for a connection or transaction, or a `Lease` of it",
        "your own client must be `Sync` and `Clone`, and needs `impl reuse_db::Connect for {Self}`"
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
    /// Gets the connection of a lease that outlives the handler.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`Exclusive::lease`](crate::Exclusive::lease).
    fn prepare(&mut self, _: Outcome) -> impl Future<Output = Result<(), Error>> + Send {
        std::future::ready(Ok(()))
    }

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

/// The lease connects when the handler opens it, or after the handler if it outlives the handler.
/// The handler or its stream settles the lease, or the handler drops it.
#[diagnostic::do_not_recommend]
impl<H: FromConnection> ByValue for Lease<H> {
    type OnReturn = LeaseEnd<H::Connection>;

    async fn lease(from: &'static Shared<Self>) -> Result<(Self, Self::OnReturn), Error> {
        Ok(from.lease_on_first_use())
    }
}

impl<C: Connect> SettleOnReturn for LeaseEnd<C> {
    async fn prepare(&mut self, outcome: Outcome) -> Result<(), Error> {
        // The response of a failure is sent as it is.
        if outcome.is_failure() || !self.is_awaited() {
            return Ok(());
        }
        Box::pin(self.connect()).await
    }

    fn settle(self, outcome: Outcome) {
        Self::settle(self, outcome);
    }
}
