//! After the response a connection that is kept asks whether the server is nearly full.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use tokio::time::{Instant, timeout};

use super::held::{Held, Owed, close};
use super::{Depot, discarded};
use crate::guard::{Guard, Load};
use crate::stats::Counters;
use crate::{Connect, Error, invocation, limit, owed};

impl<C: Connect> Depot<C> {
    /// If the guard is to ask now, it does when the response is out: until then the connection may be
    /// leased again.
    pub(super) fn ask_after_response(self: &Arc<Self>, counters: &'static Counters) {
        let Some(guard) = self.source.guard else {
            return;
        };
        if self.state().watch.is_due(guard) {
            let (depot, response) = (Arc::clone(self), invocation::responded());
            owed::spawn(async move {
                response.await;
                depot.ask(guard, counters).await;
            });
        }
    }

    async fn ask(self: Arc<Self>, guard: Guard, counters: &'static Counters) {
        // Whoever has leased all of them needs them.
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return;
        };
        let end = limit::after(self.source.check_timeout);
        let Some(idle) = self.newest_idle(end).await else {
            return;
        };
        let owed = Owed::new(&self);
        let since = idle.since;
        let mut held = Held {
            connection: idle.connection,
            opened: idle.opened,
            depot: Arc::clone(&self),
            permit,
            counters,
        };
        let (begun, limit) = (Instant::now(), self.source.check_timeout);
        let guard = guard.of(&self.source);
        let load = match timeout(limit, look(&mut held.connection, guard)).await {
            Ok(Ok(load)) => load,
            Ok(Err(error)) => return held.discard(&error.to_string()),
            Err(_) => return held.discard("no answer to the guard's question"),
        };
        let Some(load) = load else {
            return held.park(since);
        };
        let Load { used, most, ours } = load;
        tracing::debug!(target: "reuse_db", used, most, ours, took = ?begun.elapsed(), "counted");
        self.state().watch.told(guard, ours);
        if load.excess(guard) == 0 {
            return held.park(since);
        }
        tracing::info!(target: "reuse_db", used, most, "made room");
        // Nobody waits for what is closed.
        drop(owed);
        held.give_up_all().await;
    }
}

impl<C: Connect> Held<C> {
    /// Closes this connection and all that are idle, each with a permit, so that nobody opens another in
    /// its place before.
    async fn give_up_all(self) {
        let (depot, counters) = (self.depot, self.counters);
        let idle = std::mem::take(&mut depot.state().idle);
        let mut all = vec![(self.connection, self.permit)];
        for idle in idle {
            match Arc::clone(&depot.permits).try_acquire_owned() {
                Ok(permit) => all.push((idle.connection, permit)),
                Err(_) => discarded("the server is nearly full", counters),
            }
        }
        let close = |(connection, permit)| {
            Box::pin(close(
                connection,
                Arc::clone(&depot),
                Some(permit),
                counters,
            ))
        };
        let mut closing: Vec<_> = all.into_iter().map(close).collect();
        // All at once, and all dropped with this future.
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

/// Asks; and if there is too little room, lets the connection end others before itself.
async fn look<C: Connect>(connection: &mut C, guard: Guard) -> Result<Option<Load>, Error> {
    let Some(load) = connection.load().await? else {
        return Ok(None);
    };
    // One less is there when this one is closed.
    let excess = load.excess(guard).saturating_sub(1);
    if let Some(idle) = guard.reap
        && excess > 0
    {
        match connection.reap(idle, excess).await {
            Ok(0) => {}
            Ok(ended) => tracing::info!(target: "reuse_db", ended, "reaped"),
            // It is closed now, whatever state it is in.
            Err(error) => tracing::warn!(target: "reuse_db", %error, "not reaped"),
        }
    }
    Ok(Some(load))
}
