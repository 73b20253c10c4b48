//! Waiting for a slot of a full server.

use std::time::Duration;

use super::random::Random;
use crate::connect::retry::{LAST_ATTEMPT, longest_pause_at_full};
use crate::source::Source;

const SOURCE: Source = Source::env("DATABASE_URL");

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
    pub(super) fn pause(&mut self, left: Duration, random: &mut Random) -> Option<Duration> {
        let mut pause = random.part_of(longest_pause_at_full(self.attempts, &SOURCE, left));
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
