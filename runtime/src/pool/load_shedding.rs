//! Closing idle connections while the server is nearly full.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::release::Returning;
use super::{CheckedOut, Pool};
use crate::clock::Timestamp;
use crate::connect::Connect;
use crate::invocation::{self, background, deadline};
use crate::source::{LoadShedding, ServerLoad};
use crate::telemetry::{Counters, events};

/// The number of sandboxes that a new one assumes, so that a thousand new ones do not ask at once.
const ASSUMED_SANDBOXES: u64 = 100;

impl<C: Connect> Pool<C> {
    /// Asks for the server's load, if it is time to, once the response is out. Until then the
    /// connection may be leased again.
    pub(super) fn poll_load_after_response(self: &Arc<Self>, counters: &'static Counters) {
        let Some(settings) = self.source.load_shedding else {
            return;
        };
        if self.state().poll_schedule.is_due(settings) {
            let (pool, response) = (Arc::clone(self), invocation::responded());
            background::spawn(async move {
                response.await;
                pool.poll_load(settings, counters).await;
            });
        }
    }

    async fn poll_load(self: Arc<Self>, settings: LoadShedding, counters: &'static Counters) {
        let Some(driver) = C::DRIVER else {
            return;
        };
        // Without a free permit all connections are in use.
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            return;
        };
        let limit = self.source.check_timeout;
        let Some(idle) = self.newest_idle(deadline::after(limit)).await else {
            return;
        };
        let returning = Returning::new(&self);
        let since = idle.since;
        let mut asking = CheckedOut {
            connection: idle.connection,
            replacement: None,
            is_reused: true,
            opened: idle.opened,
            failures: idle.failures,
            pool: Arc::clone(&self),
            permit,
            counters,
        };
        let begun = Instant::now();
        let question = (driver.server_load)(&mut asking.connection, &self.source);
        let load = match deadline::timeout_by_both_clocks(limit, question).await {
            Some(Ok(Some(load))) => load,
            Some(Ok(None)) => return asking.make_idle(since),
            Some(Err(error)) => return asking.discard(&error.to_string()),
            None => return asking.discard("no answer to the question for the server's load"),
        };
        let ServerLoad {
            connections,
            limit,
            own,
        } = load;
        events::load(connections, limit, own, begun.elapsed());
        self.state().poll_schedule.schedule_next(settings, own);
        if !load.is_above(settings) {
            return asking.make_idle(since);
        }
        events::load_shed(connections, limit);
        // Nobody waits for a connection that is being closed.
        drop(returning);
        let mut all = vec![(asking.connection, asking.permit)];
        all.extend(self.take_idle(|state| (!state.idle.is_empty()).then_some(0)));
        self.close_all(all, counters).await;
    }
}

/// The time of the next question for the server's load, by either clock: one of them may stand
/// still while the sandbox is frozen.
#[derive(Debug, Default)]
pub(super) struct PollSchedule {
    last: Option<Timestamp>,
    pause: Duration,
}

impl PollSchedule {
    /// Returns `true` if it is time to ask.
    fn is_due(&mut self, settings: LoadShedding) -> bool {
        let is_due = self
            .last
            .is_some_and(|last| Timestamp::now().since(last) >= self.pause);
        if is_due || self.last.is_none() {
            self.schedule_next(settings, ASSUMED_SANDBOXES);
        }
        is_due
    }

    /// Schedules the next question so that `sandboxes` together ask once in
    /// [`LoadShedding::interval`].
    fn schedule_next(&mut self, settings: LoadShedding, sandboxes: u64) {
        let random = getrandom::u32().unwrap_or(u32::MAX / 2);
        let others = u32::try_from(sandboxes.saturating_sub(1)).unwrap_or(u32::MAX);
        let spread = f64::from(others) * 2.0 * f64::from(random) / f64::from(u32::MAX);
        let interval = settings.interval.min(deadline::MAX_WAIT).as_secs_f64();
        let pause = Duration::try_from_secs_f64(interval * (1.0 + spread));
        self.last = Some(Timestamp::now());
        self.pause = pause.unwrap_or(deadline::MAX_WAIT).min(deadline::MAX_WAIT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::mock;

    /// A thousand sandboxes ask about once in an interval, and none more than once.
    #[test]
    fn a_fleet_asks_as_often_as_one_sandbox() {
        let settings = LoadShedding::new();
        let mut fleet: Vec<PollSchedule> = (0..1_000).map(|_| PollSchedule::default()).collect();
        let mut ask = |minutes: u64| {
            let mut asked = 0;
            for _ in 0..minutes * 60 {
                mock::advance_wall(Duration::from_secs(1));
                for schedule in &mut fleet {
                    if schedule.is_due(settings) {
                        asked += 1;
                        schedule.schedule_next(settings, 1_000);
                    }
                }
            }
            asked
        };
        // At first each assumes a hundred, and asks within 1,000 s: about one in a second.
        let first = ask(17);
        assert!((900..1_500).contains(&first), "{first}");
        // Then all of them together ask once in 5 s.
        let then = ask(20);
        assert!((60..480).contains(&then), "{then}");
    }

    #[test]
    fn a_sandbox_that_is_mostly_frozen_asks_by_either_clock() {
        for advance in [mock::advance_wall, mock::advance_monotonic] {
            let mut schedule = PollSchedule::default();
            assert!(!schedule.is_due(LoadShedding::new()), "the first response");
            advance(Duration::from_secs(1_001));
            assert!(schedule.is_due(LoadShedding::new()));
        }
    }
}
