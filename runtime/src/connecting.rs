//! Opening a connection, tried again until the time is up.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::stats::{Count, Counters};
use crate::{Connect, Error, Source, invocation, sandbox};

/// The longest pause before the second try; it doubles with every try.
const BASE: Duration = Duration::from_millis(25);
/// The longest pause between any two tries.
const CAP: Duration = Duration::from_secs(1);

/// Opens a connection. Refusals that pass are tried again, with full jitter, until `end`; the error
/// is the last real cause, never "timed out" when something else is known.
pub(crate) async fn open<C: Connect>(
    source: &Source,
    end: Instant,
    counters: &Counters,
) -> Result<C, Error> {
    let begun = Instant::now();
    let mut tries = 0;
    let mut last = None;
    let result = loop {
        tries += 1;
        let error = match timeout_at(end, C::connect(source)).await {
            Ok(Ok(connection)) => break Ok(connection),
            Ok(Err(error)) => error,
            Err(_) => break Err(last.unwrap_or_else(|| Error::unavailable("no answer in time"))),
        };
        let pause = jitter(tries);
        if !error.passes() || Instant::now() + pause >= end {
            break Err(error);
        }
        tracing::debug!(target: "reuse_db", %error, ?pause, tries, took = ?begun.elapsed(), "retried");
        counters.add(Count::Retried);
        last = Some(error);
        sleep(pause).await;
    };
    counters.add_time(Count::ConnectingNanos, begun.elapsed());
    match result {
        Ok(connection) => {
            tracing::debug!(target: "reuse_db", tries, took = ?begun.elapsed(), "opened");
            counters.add(Count::Opened);
            Ok(connection)
        }
        Err(error) => Err(error.after(source.target(), tries, begun.elapsed())),
    }
}

/// Opens what the first invocation will need. A failure has been logged, as a refusal, and is not
/// remembered.
pub(crate) async fn warm(lease: impl AsyncFnOnce() -> Result<(), Error>) {
    if sandbox::is_snap_start() {
        tracing::debug!(target: "reuse_db", "not warmed: a snapshot will be taken");
        return;
    }
    if let Err(error) = lease().await {
        tracing::warn!(target: "reuse_db", %error, "not warmed");
    }
}

/// An invocation gets no connection.
pub(crate) fn refused(error: Error, took: Duration, counters: &Counters) -> Error {
    tracing::warn!(target: "reuse_db", %error, ?took, "refused");
    counters.add(Count::Refused);
    invocation::remember(error)
}

/// A random pause between nothing and 25 ms, 50 ms, 100 ms … 1 s: sandboxes that were refused
/// together do not come back together ("full jitter", AWS Architecture Blog, "Exponential Backoff
/// And Jitter").
///
/// The operating system is asked each time: a generator's state would be the same in every sandbox
/// restored from one snapshot.
fn jitter(tries: u32) -> Duration {
    let most = BASE.saturating_mul(1 << (tries - 1).min(16)).min(CAP);
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    most.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_spread_and_capped() {
        for (tries, most) in [(1, 25), (2, 50), (6, 800), (7, 1000), (u32::MAX, 1000)] {
            let pauses: Vec<_> = (0..200).map(|_| jitter(tries)).collect();
            assert!(
                pauses
                    .iter()
                    .all(|pause| *pause <= Duration::from_millis(most))
            );
            assert!(
                pauses
                    .iter()
                    .any(|pause| *pause > Duration::from_millis(most / 2))
            );
            assert!(
                pauses
                    .iter()
                    .any(|pause| *pause < Duration::from_millis(most / 2))
            );
        }
    }
}
