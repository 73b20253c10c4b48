//! The outcome of a handler, as its connection sees it.

use lambda_http::http::StatusCode;

/// The outcome of a handler.
///
/// It decides whether a transaction is committed, and what happens to the connection before it is
/// used again. The attribute finds it in what the handler returns: see
/// [`HasOutcome`](crate::HasOutcome) for a success, and for an `Err` the error of sqlx that it
/// holds, in whatever wrapper.
///
/// | outcome | transaction | the connection, after the response |
/// |---|---|---|
/// | [`Success`](Self::Success) | committed | kept |
/// | [`ClientError`](Self::ClientError) | rolled back | kept |
/// | [`Failure`](Self::Failure) | rolled back | reset; dropped at the second failure in a row |
/// | [`Rejected`](Self::Rejected) | rolled back | reset; outside PostgreSQL and Redis as after `Failure` |
/// | [`Stale`](Self::Stale) | rolled back | reset, and its prepared statements are closed; otherwise as after `Failure` |
/// | [`Broken`](Self::Broken) | rolled back | dropped |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The handler succeeded. A transaction is committed.
    Success,
    /// The handler rejected the request with an HTTP status of 4xx. A transaction is rolled back,
    /// and the connection is reused as after a success.
    ClientError,
    /// The handler failed: it returned `Err` or an HTTP status of 5xx, and no error of the database
    /// is visible in that. A connection whose last two invocations failed like this is dropped,
    /// because a new connection could succeed.
    Failure,
    /// The handler failed, and a new connection would fail as well: a violated constraint, an
    /// unknown table, no row.
    Rejected,
    /// The handler failed, and new prepared statements could succeed: an error of prepared
    /// statements, cached plans or types.
    Stale,
    /// The handler failed, and only a new connection could succeed: an error of the protocol, a
    /// read-only server, or a temporary table that an earlier invocation left on MySQL.
    Broken,
}

impl Outcome {
    /// Returns the outcome that an HTTP status stands for.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        Self::of_code(status.as_u16().into())
    }

    /// Returns the outcome that the number of an HTTP status stands for.
    pub(super) fn of_code(code: i64) -> Self {
        match code {
            500.. => Self::Failure,
            400.. => Self::ClientError,
            _ => Self::Success,
        }
    }

    /// Returns `true` unless the handler succeeded or rejected the request.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        !matches!(self, Self::Success | Self::ClientError)
    }
}
