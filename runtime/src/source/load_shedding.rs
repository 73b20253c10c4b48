//! The settings for closing connections while the server is nearly full.

use std::time::Duration;

/// Closes connections after a response while the server is nearly full. Off unless
/// [`Source::load_shedding`](crate::Source::load_shedding) sets it.
///
/// ```
/// use reuse_db::{LoadShedding, Source};
///
/// const SOURCE: Source =
///     Source::env("DATABASE_URL").load_shedding(LoadShedding::new().threshold_percent(70));
/// ```
///
/// After a response, before the freeze, a kept connection asks the server for its number of
/// connections and its limit. Above the threshold the sandbox closes all its idle connections, and
/// the next invocation opens a new one.
///
/// A sandbox asks at most once in [`interval`](Self::interval). The more sandboxes the function
/// has, the less often each asks: all together ask about once in that time. A new sandbox does not
/// know how many others exist. It assumes a hundred, and first asks at a random time within
/// about 1,000 s (200 × `interval`).
///
/// No response waits for the question, which takes one round trip. It counts toward the billed
/// time. An invocation that needs the asking connection at the same time waits for the answer, for
/// at most [`check_timeout`](crate::Source::check_timeout).
///
/// | server | connections | limit | rights |
/// |---|---|---|---|
/// | PostgreSQL | client sessions in `pg_stat_activity` | `max_connections` less the reserved ones | none |
/// | MySQL, MariaDB | `Threads_connected`, and the user's own in `information_schema.processlist` | `max_connections`, `max_user_connections` | none |
///
/// Limits of a role or a database are ignored. Load shedding applies to `PgConnection`,
/// `MySqlConnection` and their transactions, not to pools or `AnyConnection`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadShedding {
    pub(crate) threshold_percent: u8,
    pub(crate) interval: Duration,
}

impl LoadShedding {
    /// Returns the defaults: a threshold of 80 %, and at most one question in 5 s.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            threshold_percent: 80,
            interval: Duration::from_secs(5),
        }
    }

    /// Sets the share of the server's limit above which connections are closed, in percent. 100
    /// and more turn load shedding off. Default: 80.
    #[must_use]
    pub const fn threshold_percent(mut self, percent: u8) -> Self {
        self.threshold_percent = percent;
        self
    }

    /// Sets the shortest time between two questions of this sandbox. Default: 5 s.
    #[must_use]
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }
}

impl Default for LoadShedding {
    fn default() -> Self {
        Self::new()
    }
}

/// The number of connections of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServerLoad {
    /// All connections.
    pub(crate) connections: u64,
    /// The largest number of connections that the server accepts.
    pub(crate) limit: u64,
    /// The connections of this function's sandboxes.
    pub(crate) own: u64,
}

impl ServerLoad {
    /// Returns `true` if the server is fuller than the threshold allows.
    pub(crate) fn is_above(self, settings: LoadShedding) -> bool {
        let threshold = self.limit.saturating_mul(settings.threshold_percent.into()) / 100;
        settings.threshold_percent < 100 && self.connections > threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_closed_above_the_threshold_only() {
        let load = |connections| ServerLoad {
            connections,
            limit: 17,
            own: 1,
        };
        let settings = LoadShedding::new();
        // 80 % of 17 is 13.6.
        assert_eq!(
            [13, 14, 17].map(|connections| load(connections).is_above(settings)),
            [false, true, true]
        );
        assert!(!load(17).is_above(settings.threshold_percent(100)));
        assert!(load(1).is_above(settings.threshold_percent(0)));
    }
}
