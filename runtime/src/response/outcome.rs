//! The outcome of a handler, as its connection sees it.

use lambda_http::http::StatusCode;

/// The outcome of a handler.
///
/// It decides whether a transaction is committed, and whether the connection is checked before it
/// is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The handler succeeded. A transaction is committed.
    Success,
    /// The handler rejected the request with an HTTP status of 4xx. A transaction is rolled back,
    /// and the connection is reused as after a success.
    ClientError,
    /// The handler failed: it returned `Err` or an HTTP status of 5xx. A transaction is rolled
    /// back, and the connection is checked before it is used again.
    Failure,
}

impl Outcome {
    /// Returns the outcome that an HTTP status stands for.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        if status.is_server_error() {
            Self::Failure
        } else if status.is_client_error() {
            Self::ClientError
        } else {
            Self::Success
        }
    }
}
