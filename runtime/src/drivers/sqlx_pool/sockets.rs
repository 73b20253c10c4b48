//! The sockets of a pool's connections.
//!
//! sqlx does not tell which connection a hook is called for. So a pool's sockets are looked at, and
//! shut down, together.

use crate::socket::{self, Found, Options, SocketId, State};

/// The sockets of a pool's connections, as far as they were found.
///
/// Only their identities are kept. A duplicate would keep a connection open that sqlx closes.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    found: Vec<SocketId>,
    /// The cookies of sockets to the same port that are not the pool's.
    others: Vec<u64>,
    /// The number of connections whose sockets are not found yet.
    missing: usize,
}

impl Sockets {
    /// Makes those of a new pool, after its first connection was opened.
    pub(super) fn of_first(found: Found) -> Self {
        Self {
            missing: usize::from(found.socket.is_none()),
            found: found.socket.iter().map(socket::Socket::id).collect(),
            others: found.others,
        }
    }

    /// Adds the socket of a connection that took the place of another one.
    pub(super) fn add(&mut self, socket: SocketId) {
        self.found.push(socket);
    }

    /// Finds the socket of a connection that sqlx has opened by itself.
    ///
    /// If the pool opens several at once, they are found with the last one.
    pub(super) fn opened(&mut self, port: u16, options: Options) {
        self.missing += 1;
        if let Some(new) = socket::claim_new(port, self.missing, &self.others, options) {
            self.found.extend(new);
            self.missing = 0;
        }
    }

    /// Returns the worst state of a socket, and forgets those that were closed.
    pub(super) fn state(&mut self) -> State {
        let mut worst = State::Quiet;
        self.found.retain(|id| {
            let socket = id.socket();
            let state = socket.as_ref().map(socket::Socket::state);
            worst = worst.max(state.unwrap_or(State::Quiet));
            socket.is_some()
        });
        worst
    }

    /// Returns `true` if the pool has a single connection.
    pub(super) fn is_only_one(&mut self) -> bool {
        self.found.retain(|id| id.socket().is_some());
        self.missing == 0 && self.found.len() == 1
    }

    /// Shuts all sockets down.
    pub(super) fn shut_down(&mut self) {
        for socket in self.found.drain(..).filter_map(SocketId::socket) {
            socket.shut_down();
        }
    }
}
