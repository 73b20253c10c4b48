//! The outcome that a handler's error stands for.

use std::error::Error as StdError;

use crate::response::Outcome;

impl Outcome {
    /// Returns the outcome that an error stands for, as the attribute finds it: by the error of a
    /// client that the error is, or that is among its sources. Otherwise it is a
    /// [`Failure`](Self::Failure).
    ///
    /// It is for a lease that is settled without the attribute.
    #[must_use]
    pub fn of_error(error: &(dyn StdError + 'static)) -> Self {
        #[cfg(feature = "_driver")]
        return crate::drivers::outcome(error);
        // Without a driver no error is known.
        #[cfg(not(feature = "_driver"))]
        {
            let _ = error;
            Self::Failure
        }
    }
}

/// Returns the outcome that a handler's error stands for. The error of a pool that has no
/// connection is reported like that of a lease.
pub(super) fn outcome(error: &(dyn StdError + 'static)) -> Outcome {
    #[cfg(feature = "_sqlx")]
    {
        use crate::connect::retry;
        use crate::drivers::sqlx::failure;

        if let Some(text) = failure::without_connection(error) {
            retry::report_pool_unavailable(&text);
        } else if let Some(text) = failure::rejected_sign_in(error) {
            retry::report_pool_sign_in(&text);
        }
    }
    Outcome::of_error(error)
}
