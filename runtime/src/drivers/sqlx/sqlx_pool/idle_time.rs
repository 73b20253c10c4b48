//! The idle time of a pool's connections, by both clocks.

use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Timestamp;
use crate::sync::Mutex;

/// A correction of the idle times that sqlx's pool reports.
///
/// The pool measures by the monotonic clock, which may stand still while the sandbox is frozen. And
/// it measures from the end of a release, which may be after a freeze that began during it.
pub(super) struct IdleTime(Mutex<Seen>);

struct Seen {
    last: Timestamp,
    last_release: Timestamp,
    /// The time at which a freeze that the monotonic clock missed was noticed last, and its length.
    freeze: (Instant, Duration),
}

impl IdleTime {
    pub(super) fn new() -> Self {
        let now = Timestamp::now();
        Self(Mutex::new(Seen {
            last: now,
            last_release: now,
            freeze: (Instant::now(), Duration::ZERO),
        }))
    }

    /// Records the release of a connection.
    pub(super) fn release(&self) {
        self.0.lock().last_release = Timestamp::now();
    }

    /// Returns the longest time that a connection may have been idle which the pool reports as idle
    /// for `reported`.
    pub(super) fn of(&self, reported: Duration) -> Duration {
        let now = Timestamp::now();
        let mut seen = self.0.lock();
        let lag = now.lag_since(seen.last);
        // A smaller difference is the drift of the clocks.
        if lag > Duration::from_millis(10) {
            seen.freeze = (Instant::now(), lag);
        }
        seen.last = now;
        let (noticed, length) = seen.freeze;
        let was_frozen = noticed.elapsed() <= reported;
        let idle = if was_frozen {
            reported.saturating_add(length)
        } else {
            reported
        };
        idle.max(now.since(seen.last_release))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::mock;

    #[test]
    fn a_freeze_that_the_monotonic_clock_missed_counts_as_idle() {
        let idle_time = IdleTime::new();
        assert!(idle_time.of(Duration::from_millis(5)) < Duration::from_secs(1));
        mock::advance_wall(Duration::from_secs(60));
        assert!(idle_time.of(Duration::from_millis(5)) > Duration::from_secs(59));
        idle_time.release();
        // Another connection that was frozen as well, acquired later.
        assert!(idle_time.of(Duration::from_secs(2)) > Duration::from_secs(59));
        // The connection that was used since.
        assert!(idle_time.of(Duration::ZERO) < Duration::from_secs(1));
    }

    #[test]
    fn a_freeze_during_a_release_counts_as_idle() {
        let idle_time = IdleTime::new();
        idle_time.release();
        mock::advance_monotonic(Duration::from_secs(60));
        mock::advance_wall(Duration::from_secs(60));
        assert!(idle_time.of(Duration::ZERO) > Duration::from_secs(59));
    }
}
