//! A connection that asks, on its way back, whether the server is nearly full.

use std::sync::Arc;

use tokio::time::{Instant, timeout};

use super::held::{Held, Owed, close};
use super::{Depot, discarded};
use crate::guard::{Guard, Load};
use crate::{Connect, Error};

impl<C: Connect> Depot<C> {
    /// The guard, if it is to ask now.
    pub(super) fn guard_on_duty(&self) -> Option<Guard> {
        let guard = self.source.guard?;
        self.state().watch.is_due(guard).then_some(guard)
    }
}

impl<C: Connect> Held<C> {
    pub(super) async fn park_or_make_room(mut self, owed: Owed<C>, guard: Guard) {
        let (begun, limit) = (Instant::now(), self.depot.source.check_timeout);
        let load = match timeout(limit, look(&mut self.connection, guard)).await {
            Ok(Ok(load)) => load,
            Ok(Err(error)) => return self.discard(&error.to_string()),
            Err(_) => return self.discard("no answer to the guard's question"),
        };
        let Some(load) = load else {
            return self.park(owed.since);
        };
        let Load { used, most, ours } = load;
        tracing::debug!(target: "reuse_db", used, most, ours, took = ?begun.elapsed(), "counted");
        self.depot.state().watch.told(guard, ours);
        if load.excess(guard) == 0 {
            return self.park(owed.since);
        }
        tracing::info!(target: "reuse_db", used, most, "made room");
        self.give_up_all().await;
    }

    /// Closes this connection and all that are idle, each with a permit, so that nobody opens another in
    /// its place before.
    async fn give_up_all(self) {
        let (depot, counters) = (Arc::clone(&self.depot), self.counters);
        let mut all = vec![(self.connection, self.permit)];
        let idle = std::mem::take(&mut depot.state().idle);
        for idle in idle {
            match Arc::clone(&depot.permits).try_acquire_owned() {
                Ok(permit) => all.push((idle.connection, permit)),
                Err(_) => discarded("the server is nearly full", counters),
            }
        }
        for (connection, permit) in all {
            close(connection, Arc::clone(&depot), Some(permit), counters).await;
        }
    }
}

/// Asks; and if there is too little room, lets the connection end others before itself.
async fn look<C: Connect>(connection: &mut C, guard: Guard) -> Result<Option<Load>, Error> {
    if connection.unfinished() {
        connection.rest().await?;
    }
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
