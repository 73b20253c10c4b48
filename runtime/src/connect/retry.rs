//! Opening a connection, tried again until the time is up.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::stats::{Count, Counters};
use crate::{Connect, Error, Kind, Source, credentials, invocation, limit, sandbox};

/// What was before one try to connect.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) tries: u32,
    /// How many of those met with silence.
    pub(crate) silent: u32,
    /// How often another of the host's addresses was to be taken since its name was.
    pub(crate) turn: usize,
}

impl Attempt {
    pub(crate) const FIRST: Self = Self {
        tries: 0,
        silent: 0,
        turn: 0,
    };
}

/// Opens a connection. Refusals that pass are tried again, with full jitter, until `end`; the error
/// is the last real cause, never "timed out" when something else is known.
pub(crate) async fn open<C: Connect>(
    source: &Source,
    end: Instant,
    counters: &Counters,
) -> Result<C, Error> {
    let begun = Instant::now();
    let mut source = *source;
    let mut has_asked_again = false;
    let mut is_last = false;
    let mut last = None;
    let result = loop {
        let Attempt { tries, turn, .. } = source.attempt;
        let tries = tries + 1;
        let end_of_try = limit::after(patience(&source));
        // A driver's handshake would make the future of every handler large (over TLS: 30 KB).
        let connect = Box::pin(C::connect(&source));
        let (result, is_asking) =
            credentials::watched(timeout_at(end_of_try.min(end), caught(connect))).await;
        let was_silent = result.is_err();
        let error = match result {
            Ok(Ok(connection)) => break Ok(connection),
            Ok(Err(error)) => error,
            Err(_) => {
                source.attempt.silent += 1;
                source.attempt.turn += usize::from(!is_asking);
                silence(is_asking)
            }
        };
        let mut pause = match error.kind() {
            _ if error.passes() => {
                // Another is no worse; but who answers by the name is the one to be waited for.
                source.attempt.turn += usize::from(turn > 0 && !was_silent);
                jitter(tries, &source)
            }
            // It may have been rotated since it was asked for.
            Some(Kind::Rejected) if source.credentials.is_some() && !has_asked_again => {
                has_asked_again = true;
                Duration::ZERO
            }
            // By its name it may be another server, of several that TLS tells apart (SNI).
            Some(Kind::Rejected) if turn > 0 => {
                source.attempt.turn = 0;
                Duration::ZERO
            }
            _ => break Err(error),
        };
        let left = end.saturating_duration_since(Instant::now());
        if pause >= left {
            if is_last || left < LAST_TRY {
                break Err(last.filter(|_| was_silent).unwrap_or(error));
            }
            // Not all of what is left is given away.
            is_last = true;
            pause = random_part_of(left / 2);
        }
        tracing::debug!(target: "reuse_db", %error, ?pause, tries, took = ?begun.elapsed(), "retried");
        counters.add(Count::Retried);
        // What was said is the cause, whatever was silent since.
        last = last.filter(|_| was_silent).or(Some(error));
        source.attempt.tries = tries;
        sleep(pause).await;
    };
    let tries = source.attempt.tries + 1;
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

/// A panic of a driver, over what a server has sent, or of the function for credentials is an error: it
/// loses no more than this try.
pub(crate) async fn caught<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))).unwrap_or_else(|_| {
            Poll::Ready(Err(Error::rejected(
                "a panic in the driver or in the function for credentials: the log has it",
            )))
        })
    })
    .await
}

/// How long a try may take: twice as long after each silence, since a server that is slow, and not
/// silent, would else be asked for ever and answer nobody.
fn patience(source: &Source) -> Duration {
    let doubled = 1 << source.attempt.silent.min(16);
    source.attempt_timeout.saturating_mul(doubled)
}

/// What a last try takes at least.
const LAST_TRY: Duration = Duration::from_millis(20);

fn silence(is_asking: bool) -> Error {
    Error::unavailable(if is_asking {
        "no credentials in time, from the function of `Source::credentials`"
    } else {
        "no answer in time"
    })
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

/// A random pause between nothing and 25 ms, 50 ms, 100 ms … 1 s, unless the source says otherwise:
/// sandboxes that were refused together do not come back together ("full jitter", AWS Architecture
/// Blog, "Exponential Backoff And Jitter").
///
/// The operating system is asked each time: a generator's state would be the same in every sandbox
/// restored from one snapshot.
fn jitter(tries: u32, source: &Source) -> Duration {
    let most = source.retry_base.saturating_mul(1 << (tries - 1).min(16));
    random_part_of(most.min(source.retry_cap).min(limit::FAR))
}

fn random_part_of(most: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    most.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
