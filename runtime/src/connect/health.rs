//! The health check before a connection, a shared value or a pooled connection is used.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::Connect;
use crate::clock::Timestamp;
use crate::invocation::{self, deadline};
use crate::source::Source;
use crate::telemetry::{Count, Counters, events};

/// The result of a health check.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Health {
    /// The connection answered.
    Sound,
    /// The connection failed, or the caller's time was up before it answered.
    Stale,
    /// The connection did not answer within the full [`check_timeout`](Source::check_timeout).
    Silent,
}

/// Returns `true` if a connection of this age is past its
/// [`max_lifetime`](Source::max_lifetime), or if its session has limits for a shorter time-out than
/// that of the function.
pub(crate) fn is_too_old(age: Duration, source: &Source) -> bool {
    source.lifetime().is_some_and(|most| age >= most)
        || invocation::time_out_grew().is_some_and(|grew| Timestamp::now().since(grew) < age)
}

/// Checks a connection that was idle for `idle`, within
/// [`check_timeout`](Source::check_timeout) and until `end`.
pub(crate) async fn check<C: Connect>(
    connection: &mut C,
    source: &Source,
    idle: Duration,
    end: Instant,
    counters: &Counters,
) -> Health {
    counters.add(Count::Checked);
    let begun = Instant::now();
    let end_of_check = deadline::after(source.check_timeout);
    let result = timeout_at(end_of_check.min(end), connection.check(source)).await;
    let took = begun.elapsed();
    let (health, error) = match result {
        Ok(Ok(())) => {
            events::checked(took, Some(idle));
            return Health::Sound;
        }
        Ok(Err(error)) => (Health::Stale, error.to_string()),
        Err(_) if end_of_check <= end => (Health::Silent, "no answer in time".to_owned()),
        Err(_) => (Health::Stale, "no answer in time".to_owned()),
    };
    events::stale(took, Some(idle), &error);
    counters.add(Count::Stale);
    health
}
