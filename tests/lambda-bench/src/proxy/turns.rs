use std::time::SystemTime;

/// A moment at which another side begins to act on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The side that begins.
    pub by: Side,
    /// The time at which the proxy saw the side's first byte, or accepted the connection.
    pub at: SystemTime,
}

/// A side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client, which opens a connection.
    Connecting,
    /// The client, which sends bytes.
    Client,
    /// The server, which sends bytes.
    Server,
}

/// Records that `by` acts now. Only the beginning of a turn is kept.
pub(super) fn record(turns: &mut Vec<Turn>, by: Side) {
    if by == Side::Connecting || turns.last().is_none_or(|last| last.by != by) {
        let at = SystemTime::now();
        turns.push(Turn { by, at });
    }
}
