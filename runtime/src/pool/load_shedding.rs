//! After the response a connection that is kept asks whether the server is nearly full.

use std::sync::Arc;

use tokio::time::Instant;

use super::Depot;
use super::held::{Held, Owed};
use crate::guard::{Guard, Load};
use crate::stats::Counters;
use crate::{Connect, invocation, limit, owed};

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
        let guard = guard.of(&self.source);
        let owed = Owed::new(&self);
        let since = idle.since;
        let mut held = Held {
            connection: idle.connection,
            instead: None,
            was_idle: true,
            opened: idle.opened,
            depot: Arc::clone(&self),
            permit,
            counters,
        };
        let (begun, limit) = (Instant::now(), self.source.check_timeout);
        let load = match limit::strictly(limit, held.connection.load()).await {
            Some(Ok(load)) => load,
            Some(Err(error)) => return held.discard(&error.to_string()),
            None => return held.discard("no answer to the guard's question"),
        };
        let Some(load) = load else {
            return held.park(since);
        };
        let Load { used, most, ours } = load;
        tracing::debug!(target: "reuse_db", used, most, ours, took = ?begun.elapsed(), "counted");
        self.state().watch.told(guard, ours);
        let excess = load.excess(guard);
        if excess == 0 {
            return held.park(since);
        }
        held.reap(guard, excess).await;
        tracing::info!(target: "reuse_db", used, most, "made room");
        // Nobody waits for what is closed.
        drop(owed);
        let mut all = vec![(held.connection, held.permit)];
        all.extend(self.take_idle(|state| (!state.idle.is_empty()).then_some(0)));
        self.close_all(all, counters).await;
    }
}

impl<C: Connect> Held<C> {
    /// Lets the connection end others, as many as are still too many when all of this sandbox's are closed.
    /// It is closed next, whatever state it is in then.
    async fn reap(&mut self, guard: Guard, excess: u64) {
        let own = 1 + self.depot.state().idle.len() as u64;
        let others = excess.saturating_sub(own);
        let Some(idle) = guard.reap.filter(|_| others > 0) else {
            return;
        };
        let reap = self.connection.reap(idle, others);
        match limit::strictly(self.depot.source.check_timeout, reap).await {
            Some(Ok(0)) => {}
            Some(Ok(ended)) => tracing::info!(target: "reuse_db", ended, "reaped"),
            Some(Err(error)) => tracing::warn!(target: "reuse_db", %error, "not reaped"),
            None => {
                tracing::warn!(target: "reuse_db", error = "no answer in time", "not reaped");
            }
        }
    }
}
