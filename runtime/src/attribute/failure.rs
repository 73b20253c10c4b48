//! The outcome that a handler's error stands for.

use std::error::Error as StdError;

use crate::response::Outcome;

/// Returns the outcome that a handler's error stands for, by the error of sqlx that it holds.
///
/// The error of a pool that has no connection is reported like that of a lease.
#[cfg(feature = "_sqlx")]
pub(super) fn outcome(error: &(dyn StdError + 'static)) -> Outcome {
    use crate::drivers::failure;

    if let Some(text) = failure::without_connection(error) {
        crate::connect::retry::report_pool_unavailable(&text);
    }
    failure::outcome(error)
}

/// Returns a failure: without a driver no error is known.
#[cfg(not(feature = "_sqlx"))]
pub(super) fn outcome(_: &(dyn StdError + 'static)) -> Outcome {
    Outcome::Failure
}
