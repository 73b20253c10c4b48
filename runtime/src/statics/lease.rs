//! One invocation's hold on a connection.

use crate::depot::{Depot, Held};
use crate::registry::Way;
use crate::stats::Counters;
use crate::{Error, Handle, Outcome, Source};

/// One invocation's hold on a connection.
///
/// [`settle`](Self::settle) parks the connection. Dropped without that, after a panic or in a
/// cancelled future, an opened lease drops the connection, since nobody knows its state: it is never
/// used again. One that was not opened parks it.
///
/// A handler that takes it by value can move it into the body of a streamed response, which settles
/// it at its end.
#[must_use = "a lease that is dropped drops its connection: settle it"]
pub struct Lease<H: Handle> {
    /// `None` only while it is being dropped.
    held: Option<Held<H::Connection>>,
    /// Whether anybody had their hands on it.
    is_opened: bool,
}

impl<H: Handle> Lease<H> {
    /// From the depot that a static leads to.
    pub(crate) async fn take(
        way: &Way,
        source: &Source,
        counters: &'static Counters,
    ) -> Result<Self, Error> {
        let depot = way.find(source, Depot::<H::Connection>::new)?;
        let held = depot.lease(counters).await?;
        Ok(Self {
            held: Some(held),
            is_opened: false,
        })
    }

    /// Makes the handler's argument from the connection: the connection itself, or a transaction
    /// begun on it. If that finds a kept connection dead, within
    /// [`check_timeout`](crate::Source::check_timeout), another is opened in its place.
    ///
    /// # Errors
    ///
    /// [`Error::Transaction`] if the server refuses to begin a transaction; those of
    /// [`Parked::lease`](crate::Parked::lease) if it cannot be reached within
    /// [`connect_timeout`](crate::Source::connect_timeout), or has no session for it.
    pub async fn open(lease: &mut Self) -> Result<H::Open<'_>, Error> {
        let Some(held) = &mut lease.held else {
            return Err(Error::unsound("it was given back"));
        };
        lease.is_opened = true;
        held.open::<H>().await
    }

    /// Gives the connection back, at once and without awaiting anything: idle if the outcome is no
    /// failure and nothing is unfinished on it; else a task brings it to rest or checks it first,
    /// within [`check_timeout`](crate::Source::check_timeout).
    pub fn settle(mut lease: Self, outcome: Outcome) {
        if let Some(held) = lease.held.take() {
            held.settle(outcome);
        }
    }
}

impl<H: Handle> Drop for Lease<H> {
    fn drop(&mut self) {
        match self.held.take() {
            Some(held) if self.is_opened => {
                held.discard("the invocation panicked, was cancelled, or could not be opened");
            }
            Some(held) => held.settle(Outcome::Success),
            None => {}
        }
    }
}

impl<H: Handle> std::fmt::Debug for Lease<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Parked;
    use crate::fake::{Fake, SOURCE};

    #[tokio::test(start_paused = true)]
    async fn dropped_it_is_parked_until_it_is_opened() {
        static DB: Parked<Fake> = Parked::new(SOURCE);
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
