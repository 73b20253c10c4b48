//! The sockets of a pool's connections.
//!
//! sqlx does not tell which connection a hook is called for. So a pool's sockets are looked at, and
//! shut down, together.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::socket::{self, Found, Missing, Options, SocketId, State};

/// The time for which a look counts. One look serves all statements of a short invocation.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(10);

/// The sockets of a pool's connections, as far as they were found.
///
/// Only their identities are kept. A duplicate would keep a connection open that sqlx closes.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    found: Vec<SocketId>,
    missing: Missing,
    /// The time of the last look that found no end of a connection.
    looked: Option<Timestamp>,
}

impl Sockets {
    /// Makes those of a new pool, after its first connection was opened.
    pub(super) fn of_first(found: Found) -> Self {
        Self {
            missing: Missing {
                others: found.others,
                is_lost: found.is_ambiguous,
                ..Missing::default()
            },
            found: found.socket.iter().map(socket::Socket::id).collect(),
            looked: None,
        }
    }

    /// Adds the socket of a connection that took the place of another one.
    pub(super) fn add(&mut self, socket: SocketId) {
        self.forget_closed();
        self.found.push(socket);
    }

    /// Finds the socket of a connection that sqlx has opened by itself.
    ///
    /// If the pool opens several at once, they are found with the last one.
    pub(super) fn opened(&mut self, port: u16, options: Options) {
        let new = socket::claim_new(port, &mut self.missing, options);
        self.forget_closed();
        self.found.extend(new);
    }

    /// Returns `true` if the other side of a connection has hung up.
    pub(super) fn has_hung_up(&mut self) -> bool {
        let now = Timestamp::now();
        let is_known = |at: Timestamp| now.since(at) < LOOK_AGAIN_AFTER;
        if self.looked.is_some_and(is_known) {
            return false;
        }
        let has_hung_up = self.state() == State::HungUp;
        self.looked = (!has_hung_up).then_some(now);
        has_hung_up
    }

    /// Forgets the sockets that were closed.
    fn forget_closed(&mut self) {
        self.state();
    }

    /// Returns the worst state of a socket, and forgets those that were closed.
    fn state(&mut self) -> State {
        socket::worst_state(&mut self.found)
    }

    /// Returns the state of the socket if the pool has a single connection, otherwise `None`.
    pub(super) fn state_of_only(&mut self) -> Option<State> {
        let is_only = self.missing.count == 0 && !self.missing.is_lost && self.found.len() == 1;
        is_only.then(|| self.state())
    }

    /// Shuts all sockets down. They are looked at until they are closed.
    pub(super) fn shut_down(&self) {
        for socket in self.found.iter().filter_map(|id| id.socket()) {
            socket.shut_down();
        }
    }
}
