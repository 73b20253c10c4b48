//! Closing connections that are not kept.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use super::{Pool, State, is_too_old, report_discarded};
use crate::connect::Connect;
use crate::invocation;
use crate::telemetry::{Count, Counters, events};

impl<C: Connect> Pool<C> {
    /// Closes the idle connections that are too many or too old, once the response is out. Until
    /// then they may be leased again.
    pub(super) fn close_excess(
        self: Arc<Self>,
        counters: &'static Counters,
    ) -> impl Future<Output = ()> + Send {
        // Made before the first poll: the work may be dropped before that.
        let excess = Excess(self, counters);
        async move {
            invocation::responded().await;
            let taken = excess.take();
            excess.0.close_all(taken, counters).await;
        }
    }

    /// Takes up to `most` idle connections, as long as `next` returns the position of one.
    ///
    /// Each comes with a permit, so that no more than `max_connections` are open until it is
    /// closed. Without a free permit somebody is about to lease what is idle.
    pub(super) fn take_idle(
        &self,
        most: usize,
        next: impl Fn(&State<C>) -> Option<usize>,
    ) -> Vec<(C, OwnedSemaphorePermit)> {
        let mut taken = Vec::new();
        while taken.len() < most
            && let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned()
        {
            let mut state = self.state();
            let Some(position) = next(&state) else {
                break;
            };
            taken.push((state.idle.remove(position).connection, permit));
        }
        taken
    }

    /// Closes connections concurrently. Dropping the future drops them.
    pub(super) async fn close_all(
        &self,
        all: Vec<(C, OwnedSemaphorePermit)>,
        counters: &'static Counters,
    ) {
        let limit = self.source.check_timeout;
        let close = |(connection, permit): (C, OwnedSemaphorePermit)| {
            Box::pin(async move {
                close(connection, limit, counters).await;
                drop(permit);
            })
        };
        let mut closing: Vec<_> = all.into_iter().map(close).collect();
        poll_fn(|cx| {
            closing.retain_mut(|close| close.as_mut().poll(cx).is_pending());
            if closing.is_empty() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

/// The idle connections that a pool must not keep. Dropping it drops them.
struct Excess<C: Connect>(Arc<Pool<C>>, &'static Counters);

impl<C: Connect> Excess<C> {
    fn take(&self) -> Vec<(C, OwnedSemaphorePermit)> {
        let Self(pool, _) = self;
        pool.take_idle(usize::MAX, |state| {
            let mut idle = state.idle.iter();
            let too_old = idle.position(|idle| is_too_old(idle.opened, &pool.source));
            too_old.or((state.idle.len() > state.keep).then_some(0))
        })
    }
}

impl<C: Connect> Drop for Excess<C> {
    fn drop(&mut self) {
        for _dropped in self.take() {
            report_discarded("no time was left to close it", self.1);
        }
    }
}

/// Closes a connection within `limit`; after that the connection is dropped.
pub(super) async fn close<C: Connect>(connection: C, limit: Duration, counters: &Counters) {
    counters.add(Count::Closed);
    let begun = Instant::now();
    let closed = timeout(limit, connection.close()).await;
    events::closed(begun.elapsed(), closed.is_ok());
}
