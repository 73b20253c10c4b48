//! The numbers of connections that a sandbox leases and keeps.

use super::Source;
use crate::environment;

/// The default of [`Source::max_connections`], unless the sandbox serves more invocations at once.
const DEFAULT_CONNECTIONS: usize = 10;

/// The largest value of [`Source::max_connections`]. sqlx's pool reserves room for each.
const MOST_CONNECTIONS: usize = 10_000;

impl Source {
    /// Limits the connections that the sandbox may lease at once. A further lease waits for a
    /// free connection, for at most [`connect_timeout`](Self::connect_timeout). For a pool this is
    /// its `max_connections`. Values are clamped to 1..=10,000.
    ///
    /// Default: 10, or the sandbox's concurrency (`AWS_LAMBDA_MAX_CONCURRENCY`) if that is larger.
    #[must_use]
    pub const fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = Some(match connections {
            0 => 1,
            1..=MOST_CONNECTIONS => connections,
            _ => MOST_CONNECTIONS,
        });
        self
    }

    /// Limits the idle connections that the sandbox keeps between invocations. Excess connections
    /// are closed after the response. Does not apply to pools.
    ///
    /// Default: as many as were leased at once so far, and at least the sandbox's concurrency. That
    /// is 1 unless Lambda sets `AWS_LAMBDA_MAX_CONCURRENCY`.
    #[must_use]
    pub const fn keep(mut self, connections: usize) -> Self {
        self.keep = Some(connections);
        self
    }

    /// Returns the limit of [`max_connections`](Self::max_connections), or its default.
    pub(crate) fn connection_limit(&self) -> usize {
        self.max_connections.unwrap_or_else(|| {
            environment::concurrency().clamp(DEFAULT_CONNECTIONS, MOST_CONNECTIONS)
        })
    }

    pub(crate) fn keep_or_concurrency(&self) -> usize {
        self.keep.unwrap_or_else(environment::concurrency)
    }
}
