//! Inspecting a connection after a success, from time to time: a handler may have left a transaction
//! open that it began in SQL, or a lock.

use std::time::Duration;

use super::{CheckedOut, Pool};
use crate::clock::Timestamp;
use crate::connect::Connect;
use crate::environment;
use crate::error::Error;
use crate::telemetry::{Count, Counters, events};

/// The number of a static's first successes that are inspected. A handler that leaves something
/// behind usually does so each time.
const FIRST: u64 = 3;

/// The shortest time between two later inspections of a pool's connections.
const INTERVAL: Duration = Duration::from_secs(10);

impl<C: Connect> Pool<C> {
    /// Returns `true` if the connection that is released now must be inspected.
    pub(super) fn takes_inspection(&self, counters: &Counters) -> bool {
        if C::DRIVER.is_none() {
            return false;
        }
        let now = Timestamp::now();
        let mut state = self.state();
        let last = state.inspected;
        let is_due = counters.get(Count::Inspected) < FIRST
            || last.is_none_or(|last| now.since(last) >= INTERVAL);
        if is_due {
            state.inspected = Some(now);
            counters.add(Count::Inspected);
        }
        is_due
    }
}

impl<C: Connect> CheckedOut<C> {
    /// Ends what the handler left open.
    pub(super) async fn inspect(&mut self) -> Result<(), Error> {
        let Some(driver) = C::DRIVER else {
            return Ok(());
        };
        if (driver.inspect)(&mut self.connection, &self.pool.source).await? {
            events::left_open(&environment::function(), self.counters.handler);
        }
        Ok(())
    }
}
