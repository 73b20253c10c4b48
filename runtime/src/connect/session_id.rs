//! The identity of a session at its server.

use std::time::Duration;

use tokio::time::Instant;

/// The identity of a session at its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionId {
    /// The server's number of the session. After a restart the numbers begin again.
    pub(crate) number: u32,
    /// A number of the server, by its name and its settings.
    pub(crate) server: u32,
    /// A time at which the session existed, in seconds since the Unix epoch by the server's clock.
    pub(crate) seen: u64,
    /// That time by the clock of this process, or later.
    pub(crate) identified: Instant,
}

impl SessionId {
    /// Moves the time at which the session existed to a later one.
    pub(crate) fn alive_at(mut self, at: Instant) -> Self {
        let later = at.saturating_duration_since(self.identified);
        self.seen += later.as_secs();
        self.identified += Duration::from_secs(later.as_secs());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_that_is_alive_later_was_seen_later() {
        let identified = Instant::now();
        let id = SessionId {
            number: 7,
            server: 1,
            seen: 100,
            identified,
        };
        let after = |millis| id.alive_at(identified + Duration::from_millis(millis)).seen;
        assert_eq!((after(0), after(999), after(3_500)), (100, 100, 103));
        let twice = id.alive_at(identified + Duration::from_millis(1_500));
        let twice = twice.alive_at(identified + Duration::from_millis(2_100));
        assert_eq!(twice.seen, 102);
        // A connection that was opened during the lease.
        let later = SessionId {
            identified: identified + Duration::from_secs(5),
            ..id
        };
        assert_eq!(later.alive_at(identified).seen, 100);
    }
}
