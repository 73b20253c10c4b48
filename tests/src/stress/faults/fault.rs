//! The faults of a server or of the network.

use std::time::Duration;

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

    /// Returns the number of variants, which successive rounds use in turn.
    pub(super) fn variants(self) -> usize {
        match self {
            Self::SilencedInConnecting => 2,
            _ => 1,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ended => "session ended by the server",
            Self::Restarted => "server restarted",
            Self::FailedOver => "failover behind the same name",
            Self::Reset => "RST",
            Self::Silenced => "black hole while idle",
            Self::Stopped => "server stopped for 3 s",
            Self::PasswordRotated => "password rotated",
            Self::RoleDropped => "role dropped and created again",
            Self::RoleReplaced => "role replaced under a live session",
            Self::Full => "database full",
            Self::SilencedInConnecting => "black hole while connecting",
            Self::SilencedInQuery => "black hole in a query",
            Self::ResetInQuery => "RST in a query",
            Self::EndedInQuery => "session ended in a query",
        }
    }

    /// Returns the limit of the worst latency: several times the latency on a quiet machine.
    pub(super) fn bound(self) -> Duration {
        match self {
            Self::Ended | Self::Restarted | Self::FailedOver | Self::Reset => {
                Duration::from_millis(500)
            }
            Self::PasswordRotated | Self::RoleDropped | Self::RoleReplaced => {
                Duration::from_millis(500)
            }
            // The check of the connection takes 0.5 s to time out.
            Self::Silenced => Duration::from_secs(2),
            // The server is stopped for 3 s.
            Self::Stopped => Duration::from_secs(6),
            // The 503 is sent before the deadline.
            Self::Full | Self::SilencedInConnecting => self.timeout(),
            // The handler waits for 2 s.
            Self::SilencedInQuery => Duration::from_secs(6),
            // Without the fault, the query would take 1 s.
            Self::ResetInQuery | Self::EndedInQuery => Duration::from_millis(900),
        }
    }

    /// Returns the function's time-out. It is short where it limits the wait for a connection.
    pub(super) fn timeout(self) -> Duration {
        match self {
            Self::Full | Self::SilencedInConnecting => Duration::from_secs(2),
            _ => Duration::from_secs(10),
        }
    }
}
