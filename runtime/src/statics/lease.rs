//! The hold of one invocation on a connection.

use std::fmt;

use super::Static;
use crate::connect::FromConnection;
use crate::error::Error;
use crate::pool::{CheckedOut, Pool};
use crate::response::Outcome;

/// The hold of one invocation on a connection.
///
/// [`settle`](Self::settle) releases the connection. An opened lease that is dropped instead drops
/// its connection, because the connection's state is unknown. That happens after a panic, a
/// cancelled future, or a failed BEGIN or COMMIT.
/// A lease that was not opened releases its connection.
///
/// A handler that takes a lease by value can move it into the body of a streamed response, which
/// settles it at its end.
#[must_use = "a lease that is dropped drops its connection: settle it"]
pub struct Lease<H: FromConnection> {
    /// `None` only while the lease is being dropped.
    checked_out: Option<CheckedOut<H::Connection>>,
    is_opened: bool,
}

impl<H: FromConnection> Lease<H> {
    /// Acquires a connection from the pool of a static.
    pub(super) async fn acquire(from: &'static Static) -> Result<Self, Error> {
        let pool = from.pool(Pool::<H::Connection>::new)?;
        let checked_out = pool.acquire(&from.counters).await?;
        Ok(Self {
            checked_out: Some(checked_out),
            is_opened: false,
        })
    }

    /// Makes the handler's argument from the connection: the connection itself, or a transaction
    /// on it.
    ///
    /// If BEGIN finds a kept connection dead, within
    /// [`check_timeout`](crate::Source::check_timeout), the connection is replaced.
    ///
    /// # Errors
    ///
    /// [`Error::Transaction`] if the server rejects BEGIN. The errors of
    /// [`Exclusive::lease`](crate::Exclusive::lease) if the server cannot be reached within
    /// [`connect_timeout`](crate::Source::connect_timeout), or has no session left.
    pub async fn open(lease: &mut Self) -> Result<H::Open<'_>, Error> {
        let Some(checked_out) = &mut lease.checked_out else {
            return Err(Error::broken("the lease was settled before"));
        };
        lease.is_opened = true;
        checked_out.open::<H>().await
    }

    /// Releases the connection at once and without awaiting.
    ///
    /// It is idle at once if the outcome is no failure and nothing is unfinished on it. Otherwise
    /// background work quiesces or checks it first, within
    /// [`check_timeout`](crate::Source::check_timeout).
    pub fn settle(mut lease: Self, outcome: Outcome) {
        if let Some(checked_out) = lease.checked_out.take() {
            checked_out.release(outcome);
        }
    }
}

impl<H: FromConnection> Drop for Lease<H> {
    fn drop(&mut self) {
        match self.checked_out.take() {
            Some(checked_out) if self.is_opened => {
                checked_out
                    .discard("the handler panicked or was cancelled, or BEGIN or COMMIT failed");
            }
            Some(checked_out) => checked_out.release(Outcome::Success),
            None => {}
        }
    }
}

impl<H: FromConnection> fmt::Debug for Lease<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statics::Exclusive;
    use crate::testing::{Fake, SOURCE};

    #[tokio::test(start_paused = true)]
    async fn a_dropped_lease_keeps_its_connection_until_it_is_opened() {
        static DB: Exclusive<Fake> = Exclusive::new(SOURCE);
        for _ in 0..2 {
            drop(DB.lease().await.expect("a lease"));
        }
        assert_eq!((DB.stats().opened, DB.stats().discarded), (1, 0));
        let mut lease = DB.lease().await.expect("a lease");
        Lease::open(&mut lease).await.expect("a connection");
        drop(lease);
        assert_eq!((DB.stats().opened, DB.stats().discarded), (1, 1));
    }
}
