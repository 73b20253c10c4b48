use std::ops::Sub;

/// The traffic of all connections together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The number of connections accepted.
    pub connections: u64,
    /// The number of round trips.
    ///
    /// A round trip is one or more bytes from the client, followed by a first byte from the server.
    /// A server's greeting is not a round trip.
    pub round_trips: u64,
    /// The number of bytes received from clients.
    pub bytes_up: u64,
    /// The number of bytes received from the server.
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
