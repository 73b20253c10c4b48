//! The time for which invocations hold a connection. A lease must leave the handler as much.

use std::time::Duration;

/// The time that is assumed of a sandbox's first invocations.
const FIRST: Duration = Duration::from_millis(240);

/// The time for which the last invocations of a pool held a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct HoldTime(Duration);

impl Default for HoldTime {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl HoldTime {
    /// Records the time of one invocation. An earlier, longer one decays by an eighth each time.
    pub(super) fn record(&mut self, held: Duration) {
        self.0 = held.max(self.0 - self.0 / 8);
    }

    /// Returns the time that a lease must leave to the handler.
    pub(super) fn expected(self) -> Duration {
        self.0 + self.0 / 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_time_decays() {
        let mut times = HoldTime::default();
        assert_eq!(times.expected(), Duration::from_millis(300));
        times.record(Duration::from_millis(800));
        assert_eq!(times.expected(), Duration::from_millis(1_000));
        times.record(Duration::from_millis(20));
        assert_eq!(times.expected(), Duration::from_millis(875));
        for _ in 0..40 {
            times.record(Duration::from_millis(20));
        }
        assert_eq!(times.expected(), Duration::from_millis(25));
    }
}
