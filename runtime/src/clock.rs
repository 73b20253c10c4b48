//! The clocks, read in one place.

use std::time::{Duration, Instant, SystemTime};

/// A moment by both clocks.
///
/// AWS does not document whether the monotonic clock runs on while a sandbox is frozen, and the
/// wall clock can be set; so an age is the larger of the two readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    monotonic: Instant,
    wall: SystemTime,
}

impl Moment {
    pub(crate) fn now() -> Self {
        #[cfg_attr(not(test), expect(unused_mut, reason = "only tests turn the clocks"))]
        let mut now = Self {
            monotonic: Instant::now(),
            wall: SystemTime::now(),
        };
        #[cfg(test)]
        turn::apply(&mut now);
        now
    }

    /// How long ago `earlier` was: [`Duration::MAX`] if the wall clock was set back in between,
    /// since then nobody knows.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        let monotonic = self.monotonic.saturating_duration_since(earlier.monotonic);
        let wall = self
            .wall
            .duration_since(earlier.wall)
            .unwrap_or(Duration::MAX);
        monotonic.max(wall)
    }

    /// By how much more the wall clock has advanced since `earlier` than the monotonic clock: the
    /// part of a freeze that ages measured by [`Instant`] miss.
    #[cfg(any(feature = "_sqlx", test))]
    pub(crate) fn lag_since(self, earlier: Self) -> Duration {
        self.since(earlier)
            .saturating_sub(self.monotonic.saturating_duration_since(earlier.monotonic))
    }
}

/// Lets a test turn the clocks of its own thread.
#[cfg(test)]
pub(crate) mod turn {
    use std::cell::Cell;
    use std::time::Duration;

    thread_local! {
        static AHEAD: Cell<(Duration, Duration)> = const { Cell::new((Duration::ZERO, Duration::ZERO)) };
        static BACK: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    }

    pub(crate) fn monotonic(by: Duration) {
        AHEAD.with(|ahead| ahead.set((ahead.get().0 + by, ahead.get().1)));
    }

    pub(crate) fn wall(by: Duration) {
        AHEAD.with(|ahead| ahead.set((ahead.get().0, ahead.get().1 + by)));
    }

    pub(crate) fn wall_back(by: Duration) {
        BACK.with(|back| back.set(back.get() + by));
    }

    pub(super) fn apply(now: &mut super::Moment) {
        let (monotonic, wall) = AHEAD.with(Cell::get);
        now.monotonic += monotonic;
        now.wall = now.wall + wall - BACK.with(Cell::get);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_the_larger_of_both_clocks() {
        let start = Moment::now();
        turn::monotonic(Duration::from_secs(5));
        assert!(Moment::now().since(start) >= Duration::from_secs(5));
        assert_eq!(Moment::now().lag_since(start), Duration::ZERO);
        turn::wall(Duration::from_secs(60));
        assert!(Moment::now().since(start) >= Duration::from_secs(60));
        assert!(Moment::now().lag_since(start) >= Duration::from_secs(54));
    }

    #[test]
    fn a_wall_clock_set_back_makes_every_age_unknown() {
        let start = Moment::now();
        turn::wall_back(Duration::from_secs(1));
        assert_eq!(Moment::now().since(start), Duration::MAX);
    }
}
