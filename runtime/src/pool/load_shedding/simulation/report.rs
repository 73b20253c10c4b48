//! The figures of a simulated fleet.

use std::time::Duration;

const BUCKET: Duration = Duration::from_millis(100);

/// A count of events over time.
#[derive(Default)]
pub(super) struct Rate(Vec<u32>);

impl Rate {
    pub(super) fn count(&mut self, now: Duration) {
        let bucket = bucket(now);
        if self.0.len() <= bucket {
            self.0.resize(bucket + 1, 0);
        }
        self.0[bucket] += 1;
    }

    pub(super) fn total_since(&self, start: Duration) -> u64 {
        let counts = self.0.iter().skip(bucket(start));
        counts.map(|&count| u64::from(count)).sum()
    }

    /// Returns the largest number in a second, on average over a window.
    pub(super) fn peak(&self, window: Duration) -> f64 {
        let (mut sum, mut most) = (0, 0);
        for (index, count) in self.0.iter().enumerate() {
            sum += count;
            if let Some(past) = index.checked_sub(bucket(window)) {
                sum -= self.0[past];
            }
            most = most.max(sum);
        }
        f64::from(most) / window.as_secs_f64()
    }
}

fn bucket(time: Duration) -> usize {
    (time.as_micros() / BUCKET.as_micros()) as usize
}

#[derive(Default)]
pub(super) struct Report {
    pub(super) invocations: u64,
    pub(super) served: u64,
    /// The invocations that waited for more than 300 ms, and were served.
    pub(super) waited: u64,
    pub(super) longest_wait: Duration,
    /// The first load query of each sandbox.
    pub(super) first_queries: Rate,
    pub(super) later_queries: Rate,
    /// All opened connections except the first one of each sandbox.
    pub(super) reopened: Rate,
    /// The attempts that the full server rejected.
    pub(super) rejected: Rate,
    pub(super) open_at_end: usize,
    /// The served invocations of each sandbox.
    pub(super) served_of: Vec<u64>,
}

impl Report {
    pub(super) fn served_percent(&self) -> f64 {
        percent(self.served, self.invocations)
    }

    pub(super) fn waited_percent(&self) -> f64 {
        percent(self.waited, self.served)
    }

    /// Returns the served invocations of the worst sandbox and of the median one.
    pub(super) fn least_and_median(&self) -> (u64, u64) {
        let mut served = self.served_of.clone();
        served.sort_unstable();
        (served[0], served[served.len() / 2])
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}
