//! The options of a connection's socket.

use std::time::Duration;

use super::Source;

impl Source {
    /// Sets the time without traffic after which the kernel asks the server's whether it is there
    /// (TCP keepalive). It asks again each second. So a handler that waits for an answer notices a
    /// server, or a network, that is gone: once nothing was acknowledged for
    /// [`tcp_user_timeout`](Self::tcp_user_timeout), its statement fails with an I/O error.
    /// Default: 5 s. [`Duration::ZERO`] leaves the system's setting.
    ///
    /// In whole seconds, where [the socket is seen](crate::docs::sockets).
    #[must_use]
    pub const fn tcp_keepalive(mut self, idle: Duration) -> Self {
        self.socket_options.keepalive = idle;
        self
    }

    /// Sets the time after which the kernel gives a connection up whose server acknowledges
    /// nothing, neither data nor a question of [`tcp_keepalive`](Self::tcp_keepalive).
    /// Default: 10 s. [`Duration::ZERO`] leaves the system's setting, which is about 15 min for
    /// data.
    ///
    /// A server that computes for longer acknowledges the questions, and is waited for. But a
    /// server that reads nothing for so long is given up, even if it is alive: a COPY whose rows
    /// wait for a lock. Where [the socket is seen](crate::docs::sockets).
    #[must_use]
    pub const fn tcp_user_timeout(mut self, limit: Duration) -> Self {
        self.socket_options.user_timeout = limit;
        self
    }
}
