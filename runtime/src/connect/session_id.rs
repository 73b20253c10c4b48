//! The identity of a session at its server.

/// The identity of a session at its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionId {
    /// The server's number of the session. After a restart the numbers begin again.
    pub(crate) number: u32,
    /// A number of the server, by its name and its settings.
    pub(crate) server: u32,
    /// The start of the server, in seconds since the Unix epoch by its own clock. Two readings may
    /// differ by a second.
    pub(crate) server_started: u64,
}

impl SessionId {
    /// Returns `true` if both sessions are of the same server, between two of its restarts.
    pub(crate) fn has_server_of(&self, other: &Self) -> bool {
        self.server == other.server && self.server_started.abs_diff(other.server_started) <= 2
    }
}
