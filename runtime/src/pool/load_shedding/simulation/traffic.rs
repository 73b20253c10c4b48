//! The times of the invocations of a fleet.

use std::f64::consts::TAU;
use std::time::Duration;

use super::random::Random;

/// The time from one crest of the wave to the next.
const WAVE: Duration = Duration::from_secs(180);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Traffic {
    /// All sandboxes are new, and are invoked at first within 10 s.
    Spike,
    /// All sandboxes are new, and are invoked at first within 100 s. AWS starts no more than a
    /// thousand sandboxes of a function in 10 s.
    Steady,
    /// Between 10 % and 100 % of the sandboxes are invoked. All others are frozen.
    Wave,
    /// All sandboxes are invoked, but seldom.
    Quiet,
    /// All sandboxes are invoked without a gap, with a long statement.
    Crowd,
}

impl Traffic {
    pub(super) fn duration(self) -> Duration {
        Duration::from_secs(match self {
            Self::Spike => 90,
            Self::Steady => 180,
            Self::Wave | Self::Quiet => 360,
            Self::Crowd => 60,
        })
    }

    /// Returns the time within which all sandboxes that are active are invoked at first.
    pub(super) fn start(self) -> Duration {
        Duration::from_secs(match self {
            Self::Spike => 10,
            Self::Steady => 100,
            Self::Wave => 3,
            Self::Quiet => 60,
            Self::Crowd => 1,
        })
    }

    /// Returns the longest time from a response to the next invocation.
    pub(super) fn longest_gap(self) -> Duration {
        Duration::from_secs(match self {
            Self::Spike | Self::Steady | Self::Wave => 3,
            Self::Quiet => 60,
            Self::Crowd => 0,
        })
    }

    pub(super) fn gap(self, random: &mut Random) -> Duration {
        random.part_of(self.longest_gap())
    }

    pub(super) fn statement(self) -> Duration {
        Duration::from_millis(if self == Self::Crowd { 300 } else { 20 })
    }

    /// Returns `true` if a sandbox is invoked now. Its place in the fleet is from 0 to 1.
    pub(super) fn is_active(self, place: f64, now: Duration) -> bool {
        let turns = now.as_secs_f64() / WAVE.as_secs_f64();
        self != Self::Wave || place < 0.55 - 0.45 * (turns * TAU).cos()
    }
}
