//! The identity of a session at its server.

/// The identity of a session at its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionId {
    /// The server's number of the session. After a restart the numbers begin again.
    pub(crate) number: u32,
    /// A number of the server, by its name and its settings.
    pub(crate) server: u32,
    /// A time at which the session existed, in seconds since the Unix epoch by the server's clock.
    pub(crate) seen: u64,
}
