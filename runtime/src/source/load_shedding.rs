//! The settings for keeping connections only while the server has room, and a server's load.

use std::time::Duration;

/// The settings for keeping a connection only while the server has room for it. On by default.
///
/// ```
/// use std::time::Duration;
///
/// use reuse_db::{LoadShedding, Source};
///
/// const SHARED: LoadShedding =
///     LoadShedding::new().threshold_percent(60).interval(Duration::from_secs(10));
/// const SOURCE: Source = Source::env("DATABASE_URL").load_shedding(SHARED);
/// ```
///
/// After the response to the invocation that opened a connection, and before the freeze, the
/// sandbox asks the server for its load. That is one round trip, the *load query*. Above the
/// threshold the sandbox closes the connection, and its next invocation opens another one.
/// A kept connection asks again from time to time, and is closed with a probability above the
/// threshold.
///
/// So sandboxes up to the threshold stay warm, and all others share the remaining connections, for
/// one invocation at a time. [Fleets](crate::docs::fleets) shows what that means for latency, and
/// which limits of the server count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadShedding {
    pub(crate) threshold_percent: u8,
    pub(crate) interval: Duration,
}

impl LoadShedding {
    /// Returns the defaults: a threshold of 80 %, and an interval of 5 s.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            threshold_percent: 80,
            interval: Duration::from_secs(5),
        }
    }

    /// Returns settings that ask nothing and keep every connection, except one that met a full
    /// server while it was opened. A threshold of 100 % does the same.
    #[must_use]
    pub const fn off() -> Self {
        Self::new().threshold_percent(100)
    }

    /// Sets the share of the server's connections up to which connections are kept, in percent of
    /// what an ordinary client may use. 100 and more turn load shedding off. Default: 80.
    #[must_use]
    pub const fn threshold_percent(mut self, percent: u8) -> Self {
        self.threshold_percent = percent;
        self
    }

    /// Sets the time between two load queries of a kept connection on an empty server. Default:
    /// 5 s.
    ///
    /// The time is a quarter of it if the server is at the threshold. It is longer if the server
    /// has many connections: all kept connections of a server together send at most eight load
    /// queries a second, and three on a large server.
    #[must_use]
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    pub(crate) fn is_off(self) -> bool {
        self.threshold_percent >= 100
    }
}

impl Default for LoadShedding {
    fn default() -> Self {
        Self::new()
    }
}

/// The load of a server: its connections under the limit that is the nearest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServerLoad {
    /// The connections that count toward the limit.
    pub(crate) connections: u64,
    /// The largest number of connections under the limit.
    pub(crate) limit: u64,
    /// The connections that were opened after the one that asked, as far as the server shows.
    pub(crate) newer: u64,
}

impl ServerLoad {
    /// Returns the number of connections above the threshold.
    pub(crate) fn excess(self, settings: LoadShedding) -> u64 {
        self.connections.saturating_sub(self.threshold(settings))
    }

    /// Returns the part of the connections above the threshold that is taken, from 0 to 1.
    pub(crate) fn shortage(self, settings: LoadShedding) -> f64 {
        let reserve = self.limit.saturating_sub(self.threshold(settings));
        (self.excess(settings) as f64 / reserve.max(1) as f64).min(1.0)
    }

    /// Returns the part of the connections below the threshold that is free, from 0 to 1.
    pub(crate) fn room(self, settings: LoadShedding) -> f64 {
        self.free(settings) as f64 / self.threshold(settings).max(1) as f64
    }

    /// Returns the number of free connections below the threshold.
    pub(crate) fn free(self, settings: LoadShedding) -> u64 {
        self.threshold(settings).saturating_sub(self.connections)
    }

    fn threshold(self, settings: LoadShedding) -> u64 {
        let percent = settings.threshold_percent.min(100).into();
        self.limit.saturating_mul(percent) / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(connections: u64) -> ServerLoad {
        ServerLoad {
            connections,
            limit: 17,
            newer: 0,
        }
    }

    #[test]
    fn the_excess_begins_above_the_threshold() {
        let settings = LoadShedding::new();
        // 80 % of 17 is 13.6.
        assert_eq!(
            [13, 14, 17].map(|connections| load(connections).excess(settings)),
            [0, 1, 4]
        );
        assert_eq!(load(17).excess(settings.threshold_percent(100)), 0);
        assert_eq!(load(17).excess(settings.threshold_percent(0)), 17);
    }

    #[test]
    fn shortage_and_room_are_shares() {
        let settings = LoadShedding::new();
        assert_eq!(
            [0, 13, 15, 17, 20].map(|connections| load(connections).shortage(settings)),
            [0.0, 0.0, 0.5, 1.0, 1.0]
        );
        assert_eq!(
            [0, 13, 17].map(|connections| load(connections).room(settings)),
            [1.0, 0.0, 0.0]
        );
        let none = ServerLoad {
            connections: 1,
            limit: 0,
            newer: 0,
        };
        assert_eq!((none.shortage(settings), none.room(settings)), (1.0, 0.0));
    }
}
