//! The outcome that a handler's error stands for.

use std::error::Error as StdError;

use crate::response::Outcome;

/// Returns the outcome that a handler's error stands for, by the error of sqlx that it holds.
#[cfg(feature = "_sqlx")]
pub(super) fn outcome(error: &(dyn StdError + 'static)) -> Outcome {
    crate::drivers::failure::outcome(error)
}

/// Returns a failure: without a driver no error is known.
#[cfg(not(feature = "_sqlx"))]
pub(super) fn outcome(_: &(dyn StdError + 'static)) -> Outcome {
    Outcome::Failure
}
