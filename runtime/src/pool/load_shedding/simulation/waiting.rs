//! Waiting for a slot, by the rule of `connect::retry` and others.

use std::time::Duration;

use super::random::Random;

/// The shortest time that is worth a last attempt.
const LAST_ATTEMPT: Duration = Duration::from_millis(20);

const BASE: Duration = Duration::from_millis(25);

/// A rule for the pauses between attempts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) cap: Duration,
    /// The longest pause as a part of the time that is left.
    pub(super) of_time_left: Option<f64>,
    /// `false`: a sandbox that has just freed its slot does not pause before its first attempt.
    pub(super) is_courteous: bool,
}

impl Rule {
    pub(super) const DEFAULT: Self = Self {
        cap: Duration::from_millis(500),
        of_time_left: Some(0.25),
        is_courteous: true,
    };
}

/// The wait of one invocation.
#[derive(Default)]
pub(super) struct Wait {
    attempts: u32,
    is_last: bool,
}

impl Wait {
    pub(super) fn has_failed(&self) -> bool {
        self.attempts > 0
    }

    /// Returns the pause after a failed attempt, or `None` if the time is up.
    pub(super) fn pause(
        &mut self,
        rule: Rule,
        left: Duration,
        random: &mut Random,
    ) -> Option<Duration> {
        let longest = BASE.saturating_mul(1 << self.attempts.min(16));
        let of_time_left = rule.of_time_left.map_or(left, |part| left.mul_f64(part));
        let mut pause = random.part_of(longest.min(rule.cap).min(of_time_left.max(BASE)));
        if pause >= left {
            if self.is_last || left < LAST_ATTEMPT {
                return None;
            }
            self.is_last = true;
            pause = random.part_of(left / 2);
        }
        self.attempts += 1;
        Some(pause)
    }
}
