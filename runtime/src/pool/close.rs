//! Closing what is not kept.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use super::{Depot, State, discarded, is_too_old};
use crate::stats::{Count, Counters};
use crate::{Connect, invocation};

impl<C: Connect> Depot<C> {
    /// Closes what is idle beyond what is kept, or too old, when the response is out: until then it may be
    /// leased again.
    pub(super) fn trim(
        self: Arc<Self>,
        counters: &'static Counters,
    ) -> impl Future<Output = ()> + Send {
        // Before the first poll: it may be given up before that.
        let excess = Excess(self, counters);
        async move {
            invocation::responded().await;
            let taken = excess.take();
            Arc::clone(&excess.0).close_all(taken, counters).await;
        }
    }

    /// Idle connections, as long as `next` says at which place there is one. Each has a permit, so that no more
    /// than `max_connections` are open until it is closed.
    pub(super) fn take_idle(
        &self,
        next: impl Fn(&State<C>) -> Option<usize>,
    ) -> Vec<(C, OwnedSemaphorePermit)> {
        let mut taken = Vec::new();
        // Where there is none, somebody is about to lease what is idle.
        while let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            let mut state = self.state();
            let Some(place) = next(&state) else {
                break;
            };
            taken.push((state.idle.remove(place).connection, permit));
        }
        taken
    }

    /// All at once, and all dropped with this future.
    pub(super) async fn close_all(
        self: Arc<Self>,
        all: Vec<(C, OwnedSemaphorePermit)>,
        counters: &Counters,
    ) {
        let close = |(connection, permit)| {
            Box::pin(close(connection, Arc::clone(&self), Some(permit), counters))
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

/// What a depot is not to keep: dropped with this, where there was no time to close it.
struct Excess<C: Connect>(Arc<Depot<C>>, &'static Counters);

impl<C: Connect> Excess<C> {
    fn take(&self) -> Vec<(C, OwnedSemaphorePermit)> {
        let Self(depot, _) = self;
        depot.take_idle(|state| {
            let mut idle = state.idle.iter();
            let too_old = idle.position(|idle| is_too_old(idle.opened, &depot.source));
            too_old.or((state.idle.len() > state.keep).then_some(0))
        })
    }
}

impl<C: Connect> Drop for Excess<C> {
    fn drop(&mut self) {
        for _dropped in self.take() {
            discarded("there was no time to close it", self.1);
        }
    }
}

/// Closes a connection, politely as long as that takes no longer than a check may.
pub(super) async fn close<C: Connect>(
    connection: C,
    depot: Arc<Depot<C>>,
    permit: Option<OwnedSemaphorePermit>,
    counters: &Counters,
) {
    counters.add(Count::Closed);
    let begun = Instant::now();
    let closed = timeout(depot.source.check_timeout, connection.close()).await;
    tracing::debug!(target: "reuse_db", took = ?begun.elapsed(), politely = closed.is_ok(), "closed");
    drop(permit);
}
