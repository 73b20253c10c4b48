//! The age at which a connection is closed.

use std::sync::LazyLock;
use std::time::Duration;

use super::Source;
use crate::random;

/// The longest life of a connection to Aurora DSQL, which ends a session after 60 minutes.
#[cfg(feature = "_database")]
const LIFETIME_OF_DSQL: Duration = Duration::from_secs(55 * 60);

/// The part of a tenth by which this process shortens lifetimes, from 0 to 1.
static LIFETIME_PART: LazyLock<f64> = LazyLock::new(|| {
    if cfg!(test) {
        return 0.0;
    }
    random::unit()
});

impl Source {
    /// Limits the age of a connection, by the monotonic and the wall clock. An older one is closed
    /// after the response, or replaced at the next lease. Default: none.
    ///
    /// Each process shortens the limit by a random part of its tenth. So sandboxes that started
    /// together do not reconnect together.
    ///
    /// It also applies to the connections of a pool, by the monotonic clock, but not to other
    /// shared values.
    #[must_use]
    pub const fn max_lifetime(mut self, age: Duration) -> Self {
        self.max_lifetime = Some(age);
        self
    }

    /// Returns the limit of [`max_lifetime`](Self::max_lifetime), less this process's part.
    pub(crate) fn lifetime(&self) -> Option<Duration> {
        let most = self.max_lifetime.or_else(|| self.longest_of_server())?;
        Some(most - (most / 10).mul_f64(*LIFETIME_PART))
    }

    /// Returns the longest time for which the server keeps a session, less some minutes.
    fn longest_of_server(&self) -> Option<Duration> {
        #[cfg(feature = "_database")]
        if self.is_dsql() {
            return Some(LIFETIME_OF_DSQL);
        }
        None
    }
}
