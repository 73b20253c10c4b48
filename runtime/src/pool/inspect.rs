//! Inspecting a connection after a success, from time to time. A handler may have left a lock, or
//! a transaction that it began in SQL.

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

/// The shortest time between two later inspections in a pool.
const INTERVAL: Duration = Duration::from_secs(10);

/// The time of the last inspection of a pool's connections.
#[derive(Debug, Default)]
pub(super) struct InspectionSchedule(Option<Timestamp>);

impl InspectionSchedule {
    /// Returns `true` if an inspection is due after `previous` of them. The caller performs it.
    pub(super) fn takes(&mut self, previous: u64) -> bool {
        let now = Timestamp::now();
        let is_due = previous < FIRST || self.0.is_none_or(|last| now.since(last) >= INTERVAL);
        if is_due {
            self.0 = Some(now);
        }
        is_due
    }
}

impl<C: Connect> Pool<C> {
    /// Returns `true` if the connection that is released now must be inspected.
    pub(super) fn takes_inspection(&self, counters: &Counters) -> bool {
        let takes = C::DRIVER.is_some_and(|driver| driver.inspects) && {
            let previous = counters.get(Count::Inspected);
            self.state().inspections.takes(previous)
        };
        if takes {
            counters.add(Count::Inspected);
        }
        takes
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
