//! The clocks, read in one place.

use std::time::{Duration, Instant, SystemTime};

/// A point in time by the monotonic and the wall clock.
///
/// AWS does not document whether the monotonic clock advances while a sandbox is frozen, and the
/// wall clock can be set. So an age is the larger of the two readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timestamp {
    monotonic: Instant,
    wall: SystemTime,
}

impl Timestamp {
    pub(crate) fn now() -> Self {
        #[cfg_attr(not(test), expect(unused_mut, reason = "only tests move the clocks"))]
        let mut now = Self {
            monotonic: Instant::now(),
            wall: SystemTime::now(),
        };
        #[cfg(test)]
        mock::apply(&mut now);
        now
    }

    /// Returns the time since `earlier`, or [`Duration::MAX`] if the wall clock was set back in
    /// between, because the time is unknown then.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        let monotonic = self.monotonic.saturating_duration_since(earlier.monotonic);
        let wall = self
            .wall
            .duration_since(earlier.wall)
            .unwrap_or(Duration::MAX);
        monotonic.max(wall)
    }

    /// Returns the part of the time since `earlier` that the monotonic clock missed, such as a
    /// freeze.
    #[cfg(any(feature = "_sqlx", test))]
    pub(crate) fn lag_since(self, earlier: Self) -> Duration {
        self.since(earlier)
            .saturating_sub(self.monotonic.saturating_duration_since(earlier.monotonic))
    }
}

/// Moves the clocks of a test's thread.
#[cfg(test)]
pub(crate) mod mock {
    use std::cell::Cell;
    use std::time::Duration;

    thread_local! {
        static MONOTONIC_AHEAD: Cell<Duration> = const { Cell::new(Duration::ZERO) };
        static WALL_AHEAD: Cell<Duration> = const { Cell::new(Duration::ZERO) };
        static WALL_BACK: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    }

    pub(crate) fn advance_monotonic(by: Duration) {
        MONOTONIC_AHEAD.set(MONOTONIC_AHEAD.get() + by);
    }

    pub(crate) fn advance_wall(by: Duration) {
        WALL_AHEAD.set(WALL_AHEAD.get() + by);
    }

    pub(crate) fn set_wall_back(by: Duration) {
        WALL_BACK.set(WALL_BACK.get() + by);
    }

    pub(super) fn apply(now: &mut super::Timestamp) {
        now.monotonic += MONOTONIC_AHEAD.get();
        now.wall = now.wall + WALL_AHEAD.get() - WALL_BACK.get();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_the_larger_of_both_clocks() {
        let start = Timestamp::now();
        mock::advance_monotonic(Duration::from_secs(5));
        assert!(Timestamp::now().since(start) >= Duration::from_secs(5));
        assert_eq!(Timestamp::now().lag_since(start), Duration::ZERO);
        mock::advance_wall(Duration::from_secs(60));
        assert!(Timestamp::now().since(start) >= Duration::from_secs(60));
        assert!(Timestamp::now().lag_since(start) >= Duration::from_secs(54));
    }

    #[test]
    fn every_age_is_unknown_after_the_wall_clock_was_set_back() {
        let start = Timestamp::now();
        mock::set_wall_back(Duration::from_secs(1));
        assert_eq!(Timestamp::now().since(start), Duration::MAX);
    }
}
