//! The health check before a connection, a shared value or a pooled connection is used.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::Connect;
use crate::invocation::deadline;
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
