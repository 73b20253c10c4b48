//! The faults that a server or the network can have.

use std::time::Duration;

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Ended,
    Restarted,
    FailedOver,
    Reset,
    Silenced,
    Stopped,
    PasswordRotated,
    RoleDropped,
    RoleReplaced,
    Full,
    SilencedInConnecting,
    SilencedInQuery,
    ResetInQuery,
    EndedInQuery,
}

impl Fault {
    pub(super) const ALL: [Self; 14] = [
        Self::Ended,
        Self::Restarted,
        Self::FailedOver,
        Self::Reset,
        Self::Silenced,
        Self::Stopped,
        Self::PasswordRotated,
        Self::RoleDropped,
        Self::RoleReplaced,
        Self::Full,
        Self::SilencedInConnecting,
        Self::SilencedInQuery,
        Self::ResetInQuery,
        Self::EndedInQuery,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ended => "session ended by the server",
            Self::Restarted => "server restarted",
            Self::FailedOver => "failover behind the same name",
            Self::Reset => "RST",
            Self::Silenced => "black hole while idle",
            Self::Stopped => "server stands still for 3 s",
            Self::PasswordRotated => "password rotated",
            Self::RoleDropped => "role dropped and made again",
            Self::RoleReplaced => "role replaced under a live session",
            Self::Full => "database full",
            Self::SilencedInConnecting => "black hole while connecting",
            Self::SilencedInQuery => "black hole in a query",
            Self::ResetInQuery => "RST in a query",
            Self::EndedInQuery => "session ended in a query",
        }
    }

    /// What the worst latency may be: several times what a quiet machine shows, and in time.
    pub(super) fn bound(self) -> Duration {
        match self {
            Self::Ended | Self::Restarted | Self::FailedOver | Self::Reset => {
                Duration::from_millis(500)
            }
            Self::PasswordRotated | Self::RoleDropped | Self::RoleReplaced => {
                Duration::from_millis(500)
            }
            // Half a second until the connection is known to be dead.
            Self::Silenced => Duration::from_secs(2),
            // What remains of the 3 s.
            Self::Stopped => Duration::from_secs(6),
            // The 503 comes before the deadline.
            Self::Full | Self::SilencedInConnecting => self.timeout(),
            // The handler's own patience of 3 s.
            Self::SilencedInQuery => Duration::from_secs(6),
            // Before the query of a second would end.
            Self::ResetInQuery | Self::EndedInQuery => Duration::from_millis(900),
        }
    }

    /// The function's own: where it ends a wait for a connection it is short.
    pub(super) fn timeout(self) -> Duration {
        match self {
            Self::Full | Self::SilencedInConnecting => Duration::from_secs(2),
            _ => Duration::from_secs(10),
        }
    }
}
