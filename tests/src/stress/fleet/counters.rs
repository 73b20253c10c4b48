use std::ops::{AddAssign, Sub};

use lambda_bench::lambda::Answer;

/// The counters of a function process, or of several.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    pub(super) opened: u64,
    pub(super) checked: u64,
    pub(super) inspected: u64,
    pub(super) load_queries: u64,
    pub(super) shed: u64,
    pub(super) retried: u64,
    pub(super) unavailable: u64,
}

impl Counters {
    /// Reads the counters in a successful answer.
    pub(super) fn of(answer: &Answer) -> Self {
        let json = answer.ok().json();
        let counter = |name: &str| json[name].as_u64().expect("a counter");
        Self {
            opened: counter("opened"),
            checked: counter("checked"),
            inspected: counter("inspected"),
            load_queries: counter("load_queries"),
            shed: counter("shed"),
            retried: counter("retried"),
            unavailable: counter("unavailable"),
        }
    }

    /// Returns the number of attempts to connect.
    pub(super) fn attempts(self) -> u64 {
        self.opened + self.unavailable + self.retried
    }

    fn with(self, other: Self, both: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            opened: both(self.opened, other.opened),
            checked: both(self.checked, other.checked),
            inspected: both(self.inspected, other.inspected),
            load_queries: both(self.load_queries, other.load_queries),
            shed: both(self.shed, other.shed),
            retried: both(self.retried, other.retried),
            unavailable: both(self.unavailable, other.unavailable),
        }
    }
}

impl AddAssign for Counters {
    fn add_assign(&mut self, other: Self) {
        *self = self.with(other, |one, two| one + two);
    }
}

impl Sub for Counters {
    type Output = Self;

    /// Returns the difference. The counters of a replaced process begin at zero.
    fn sub(self, earlier: Self) -> Self {
        self.with(earlier, u64::saturating_sub)
    }
}
