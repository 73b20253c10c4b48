use std::ops::Sub;

/// What went over the wire, all connections together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections accepted.
    pub connections: u64,
    /// How often the first byte of an answer followed one or more bytes of the client's. A greeting
    /// is none.
    pub round_trips: u64,
    /// Bytes that came from clients.
    pub bytes_up: u64,
    /// Bytes that came from the server.
    pub bytes_down: u64,
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            connections: self.connections - earlier.connections,
            round_trips: self.round_trips - earlier.round_trips,
            bytes_up: self.bytes_up - earlier.bytes_up,
            bytes_down: self.bytes_down - earlier.bytes_down,
        }
    }
}
