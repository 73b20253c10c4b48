//! The time limits of connecting, and the backoff between attempts.

use std::time::Duration;

use super::Source;

impl Source {
    /// Limits a lease in total when a connection must be opened, retries included.
    ///
    /// Inside an invocation under [`run`](crate::run) a lease also ends 250 ms before the
    /// function's deadline, and earlier if the last invocations held the connection for longer. For
    /// a pool this is also its `acquire_timeout`. Default: 5 s.
    #[must_use]
    pub const fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Limits one attempt to connect: TCP, TLS, the server's greeting, sign-in and set-up
    /// together, because sqlx does them in one step.
    ///
    /// An attempt that times out is retried. If the host name has several addresses, the next one
    /// is tried, so that one dead host does not use up
    /// [`connect_timeout`](Self::connect_timeout). After each time-out the next attempt may take
    /// twice as long, so that a slow server can answer.
    ///
    /// The next address is not tried if the URL asks to verify the host name (`verify-full`,
    /// `VERIFY_IDENTITY`), because sqlx takes that name from the URL's host. `AnyConnection` always
    /// connects by name. A pool keeps the address that it was opened at until an invocation fails.
    /// Default: 2 s.
    #[must_use]
    pub const fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.attempt_timeout = limit;
        self
    }

    /// Sets the longest pause before the second attempt to connect. It doubles with every attempt,
    /// up to [`retry_cap`](Self::retry_cap).
    ///
    /// Each pause is a random part of it (full jitter), so that sandboxes which failed together do
    /// not retry together. Default: 25 ms.
    #[must_use]
    pub const fn retry_base(mut self, pause: Duration) -> Self {
        self.retry_base = pause;
        self
    }

    /// Sets the longest pause between any two attempts to connect. Default: 1 s.
    ///
    /// While the server is full, a pause is also at most 500 ms and a quarter of the time left. So
    /// the sandbox that has waited for longest tries most often.
    #[must_use]
    pub const fn retry_cap(mut self, pause: Duration) -> Self {
        self.retry_cap = pause;
        self
    }
}
