//! The failed invocations of a connection that may be due to the connection.

use crate::connect::Driver;
use crate::response::Outcome;

/// The number of invocations in a row that failed on one connection, for a cause that may be the
/// connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Failures(u8);

impl Failures {
    /// The number of failures in a row after which a connection is not used again. After the first
    /// it is reset: a handler that returns `Err` for a missing row costs no connection each time.
    const MOST: u8 = 2;

    /// Counts the outcome of an invocation.
    #[must_use]
    pub(super) fn after<C>(self, outcome: Outcome, driver: Option<&Driver<C>>) -> Self {
        // A session that was reset like a new one meets the same rejection as a new one.
        let resets_all = driver.is_some_and(|driver| driver.resets_all);
        match outcome {
            Outcome::Success | Outcome::ClientError => Self(0),
            Outcome::Rejected if resets_all => self,
            _ => Self(self.0.saturating_add(1)),
        }
    }

    /// Returns `true` if the connection must not be used again.
    pub(super) fn are_too_many(self) -> bool {
        self.0 >= Self::MOST
    }
}
