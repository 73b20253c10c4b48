//! The failed invocations of a connection that may be due to the connection.

use crate::connect::{Cure, Driver};
use crate::response::Outcome;
use crate::source::Source;

/// The invocations in a row that failed on one connection, for a cause that may be the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Failures {
    in_a_row: u8,
    /// `true` if an invocation has ended on the connection.
    has_served: bool,
}

impl Failures {
    /// The number of failures in a row after which a connection is not used again. After the first
    /// it is reset: a handler that returns `Err` for a missing row costs no connection each time.
    const MOST: u8 = 2;

    /// Counts the outcome of an invocation. Returns what it costs the connection, if anything, and
    /// the reason in words.
    pub(super) fn count<C>(
        &mut self,
        outcome: Outcome,
        driver: Option<&Driver<C>>,
        source: &Source,
    ) -> Option<(Cure, &'static str)> {
        let was_new = !std::mem::replace(&mut self.has_served, true);
        if !outcome.is_failure() {
            self.in_a_row = 0;
            return None;
        }
        // A session that was reset like a new one meets the same rejection as a new one.
        let resets_all = driver.is_some_and(|driver| (driver.resets_all)(source));
        if outcome != Outcome::Rejected || !resets_all {
            self.in_a_row = self.in_a_row.saturating_add(1);
        }
        let of_types = "its invocation failed with an error of types";
        let of_statements = "its invocation failed with an error of statements";
        let (cure, reason) = match outcome {
            // Another new connection would fail in the same way.
            Outcome::Broken if was_new && driver.is_some() => (Cure::Clear, of_types),
            Outcome::Broken => (Cure::Replace, of_types),
            _ if self.in_a_row >= Self::MOST => (Cure::Replace, "its last two invocations failed"),
            Outcome::Stale if driver.is_none() => (Cure::Replace, of_statements),
            Outcome::Stale => (Cure::Clear, of_statements),
            _ => (Cure::Reset, "its invocation failed"),
        };
        if cure == Cure::Replace && source.is_in_memory() {
            // The database would end with its connection.
            return Some((Cure::Reset, reason));
        }
        Some((cure, reason))
    }
}
