//! The facts about a connection that its driver does not tell.

use tokio::time::Instant;

use super::SessionId;
use crate::socket::{Socket, SocketId};

/// The facts about a connection that its driver does not tell. It is dropped with its connection.
#[derive(Debug, Default)]
pub(crate) struct Link {
    /// The connection's socket, if it was found.
    pub(crate) socket: Option<Socket>,
    /// The identity of the session at the server, if it is known.
    pub(crate) session: Option<SessionId>,
}

impl Link {
    pub(crate) fn socket_id(&self) -> Option<SocketId> {
        self.socket.as_ref().map(Socket::id)
    }

    /// Remembers that the server has answered a question of the time `asked`.
    pub(crate) fn answered(&mut self, asked: Instant) {
        self.session = self.session.map(|session| session.alive_at(asked));
    }

    /// Returns `true` if the socket shows no reason to doubt the connection.
    pub(crate) fn is_quiet(&self) -> bool {
        self.socket.as_ref().is_none_or(Socket::is_quiet)
    }
}
