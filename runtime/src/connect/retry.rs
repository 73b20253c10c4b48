//! Opening a connection with retries until the time is up. A full or restarting server is waited
//! for here.

use std::sync::Arc;
use std::time::Duration;

use lambda_http::BoxFuture;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{Attempt, Connect, Link, catch_panic};
use crate::environment;
use crate::error::{Error, ErrorKind};
use crate::invocation::background::{self, Owner};
use crate::invocation::{deadline, failed_leases};
use crate::random;
use crate::source::Source;
use crate::telemetry::{Count, Counters, events};

/// The shortest time between two calls of the function for credentials after rejected sign-ins.
/// A secret store has quotas.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// The longest time that an attempt goes on after it timed out. MySQL and MariaDB give a client as
/// long for its handshake (`connect_timeout`).
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// The largest number of attempts that go on in this process after they timed out.
const MOST_UNFINISHED: usize = 10;

/// The time for the work after a connection was opened ahead of the first invocation.
const AFTER_WARMING: Duration = Duration::from_millis(500);

const NO_ANSWER: &str = "no answer in time; in a VPC, check the security groups";

/// The longest pause between two attempts at a slot of a full server.
const LONGEST_AT_FULL: Duration = Duration::from_millis(500);

/// The number of attempts that a sandbox skips of the backoff at a full server if it met a full
/// server a moment ago. An attempt costs the server a sign-in.
const SKIPPED_AT_FULL: u32 = 3;

/// The shortest time that is worth a last attempt.
pub(crate) const LAST_ATTEMPT: Duration = Duration::from_millis(20);

/// A connection that was opened.
#[derive(Debug)]
pub(crate) struct Opened<C> {
    pub(crate) connection: C,
    pub(crate) link: Link,
    /// `true` if the server has rejected an attempt because it was full.
    pub(crate) found_full: bool,
}

/// Opens a connection. Transient errors are retried with full-jitter backoff until `end`. So are
/// rejected sign-ins if the source has a function for credentials. A `first_pause` says that the
/// server was full a moment ago: the first attempt follows after a random part of it.
///
/// The error is the last explicit error, even if later attempts timed out.
pub(crate) async fn open<C: Connect>(
    source: &Source,
    first_pause: Duration,
    end: Instant,
    counters: &'static Counters,
) -> Result<Opened<C>, Error> {
    let begun = Instant::now();
    let mut skipped_at_full = 0;
    if !first_pause.is_zero() {
        skipped_at_full = SKIPPED_AT_FULL;
        let left = end.saturating_duration_since(begun);
        sleep(random_part_of(first_pause.min(left / 4))).await;
    }
    let mut attempt = Attempt::first(counters);
    let mut rejected_sign_ins = 0;
    let mut has_retried_own_client = false;
    let mut is_last = false;
    let mut last_explicit = None;
    let result = loop {
        let (result, has_timed_out) = connect_once(source, &mut attempt, end).await;
        let error = match result {
            Ok(opened) => break Ok(opened),
            Err(error) => error,
        };
        if error.is_full() && attempt.full.is_none() {
            attempt.full = error.clone_as_text().map(Arc::new);
        }
        let left = end.saturating_duration_since(Instant::now());
        let used_address = attempt.address_index > 0;
        let mut pause = match error.kind() {
            _ if error.is_for_long() => break Err(error),
            _ if error.is_transient() => {
                // After an explicit error another address is no worse than this one.
                attempt.address_index += usize::from(used_address && !has_timed_out);
                if error.is_full() {
                    let previous = attempt.previous + skipped_at_full;
                    random_part_of(longest_pause_at_full(previous, source, left))
                } else {
                    jitter(attempt.previous, source)
                }
            }
            // The credentials may have been rotated since they were read, or the secret may follow
            // the password at the server.
            _ if error.rejects_sign_in() && source.has_credentials() => {
                rejected_sign_ins += 1;
                source.doubt_credentials();
                if rejected_sign_ins > 1 {
                    // By its name the host may lead to another server, see below.
                    attempt.address_index = 0;
                }
                pause_after_sign_in(rejected_sign_ins, source)
            }
            // A user's own client does not tell a rejected sign-in from another rejection.
            Some(ErrorKind::Rejected)
                if C::DRIVER.is_none() && source.has_credentials() && !has_retried_own_client =>
            {
                has_retried_own_client = true;
                Duration::ZERO
            }
            // By its name the host may lead to another server, where TLS tells several apart (SNI).
            Some(ErrorKind::Rejected) if used_address => {
                attempt.address_index = 0;
                Duration::ZERO
            }
            _ => break Err(error),
        };
        if pause >= left {
            if is_last || left < LAST_ATTEMPT {
                break Err(last_explicit.filter(|_| has_timed_out).unwrap_or(error));
            }
            // The pause leaves time for one last attempt.
            is_last = true;
            pause = random_part_of(left / 2);
        }
        attempt.previous += 1;
        events::retried(&error, pause, attempt.previous, begun.elapsed());
        counters.add(Count::Retried);
        last_explicit = last_explicit.filter(|_| has_timed_out).or(Some(error));
        sleep(pause).await;
    };
    let (attempts, took) = (attempt.previous + 1, begun.elapsed());
    counters.add_time(Count::ConnectingNanos, took);
    match result {
        Ok((connection, link)) => {
            events::opened(took, attempts);
            counters.add(Count::Opened);
            Ok(Opened {
                connection,
                link,
                found_full: attempt.full.is_some(),
            })
        }
        Err(mut error) => {
            if error.rejects_sign_in() && source.has_credentials() {
                error = error.sign_in_kept_failing(source.sign_in_advice());
            }
            Err(error.with_attempts(source.shown_target(), attempts, took))
        }
    }
}

/// Returns the pause after the `count`th rejected sign-in: none, and then at least 500 ms.
pub(crate) fn pause_after_sign_in(count: u32, source: &Source) -> Duration {
    match count.checked_sub(2) {
        None => Duration::ZERO,
        Some(previous) => ASK_AGAIN_AFTER + jitter(previous, source),
    }
}

/// Makes one attempt. The second value is `true` if it timed out.
async fn connect_once<C: Connect>(
    source: &Source,
    attempt: &mut Attempt,
    end: Instant,
) -> (Result<(C, Link), Error>, bool) {
    let end_of_attempt = end.min(deadline::after(attempt.limit(source)));
    let Some(driver) = C::DRIVER else {
        let connect = Box::pin(catch_panic(C::connect(source)));
        let Ok(result) = timeout_at(end_of_attempt, connect).await else {
            attempt.timed_out(true);
            let cause = if source.has_credentials() {
                "no answer in time, or no credentials from the function of `Source::credentials`"
            } else {
                NO_ANSWER
            };
            return (Err(Error::unavailable(cause)), true);
        };
        return (
            result.map(|connection| (connection, Link::default())),
            false,
        );
    };
    if source.has_credentials() {
        let credentials = Box::pin(catch_panic(attempt.ask_for_credentials(source)));
        match timeout_at(end_of_attempt, credentials).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return (Err(error), false),
            Err(_) => {
                attempt.timed_out(false);
                let cause = format!("no credentials in time, {}", source.slow_origin());
                return (Err(Error::unavailable(cause)), true);
            }
        }
    }
    // Boxed: over TLS a driver's handshake would add 30 KB to the future of every handler.
    let mut connect: Connecting<C> = Box::pin(catch_panic({
        let (source, attempt) = (*source, attempt.clone());
        async move { (driver.connect)(&source, &attempt).await }
    }));
    if let Ok(result) = timeout_at(end_of_attempt, &mut connect).await {
        return (result, false);
    }
    attempt.timed_out(true);
    if driver.counts_aborted_handshakes {
        finish_in_background(connect);
    }
    (Err(Error::unavailable(NO_ANSWER)), true)
}

/// An attempt that owns what it needs.
type Connecting<C> = BoxFuture<'static, Result<(C, Link), Error>>;

/// Lets an attempt that timed out go on in background work, and closes its connection.
///
/// MySQL and MariaDB count a handshake that the client ends in the middle, and block the client's
/// host after `max_connect_errors` of them in a row. The work is bounded: it ends with the
/// invocation's background work, or when the server gives up itself, and a process has few of
/// these attempts. Beyond that an attempt is dropped.
fn finish_in_background<C: Connect>(connect: Connecting<C>) {
    static SLOTS: Semaphore = Semaphore::const_new(MOST_UNFINISHED);
    let Ok(slot) = SLOTS.try_acquire() else {
        return;
    };
    background::spawn(async move {
        let close = async {
            if let Ok((connection, link)) = connect.await {
                drop(link);
                connection.close().await;
            }
        };
        let _ = timeout(HANDSHAKE_LIMIT, close).await;
        drop(slot);
    });
}

/// Opens a connection ahead of the first invocation. The lease logs a failure, which is not
/// remembered.
pub(crate) async fn warm(lease: impl AsyncFnOnce() -> Result<(), Error>) {
    if !environment::is_snap_start() && lease().await.is_ok() {
        // The sandbox may be frozen next.
        background::wait(Owner::Any, deadline::after(AFTER_WARMING)).await;
    }
}

/// Records that an invocation gets no connection: the one place that logs and counts it.
pub(crate) fn report_unavailable(error: Error, took: Duration, counters: &Counters) -> Error {
    events::unavailable(&error, took);
    counters.add(Count::Unavailable);
    failed_leases::remember(&error);
    error
}

/// Records that a handler got no connection from its pool, whose error is `text`. The cause is
/// what the pool has met, if that is known.
#[cfg(feature = "_sqlx")]
pub(crate) fn report_pool_unavailable(text: &str) {
    report_pool(Error::unavailable(text));
}

/// Records that the server rejected the sign-in of a connection that a pool opened by itself, if
/// the pool's credentials may follow a rotation.
#[cfg(feature = "_sqlx")]
pub(crate) fn report_pool_sign_in(text: &str) {
    if failed_leases::has_pool_credentials() {
        Source::doubt_all_credentials();
        report_pool(Error::unavailable(text).sign_in_kept_failing(""));
    }
}

#[cfg(feature = "_sqlx")]
fn report_pool(otherwise: Error) {
    if let Some((error, took)) = failed_leases::remember_pool(otherwise) {
        events::unavailable(&error, took);
        Counters::of_process().add(Count::Unavailable);
    }
}

/// Returns a random pause up to 25 ms, 50 ms, 100 ms … 1 s, unless the source sets other limits.
///
/// Full jitter: sandboxes that failed together do not retry together (AWS Architecture Blog,
/// "Exponential Backoff And Jitter").
pub(super) fn jitter(previous: u32, source: &Source) -> Duration {
    let longest = source.retry_base.saturating_mul(1 << previous.min(16));
    random_part_of(longest.min(source.retry_cap).min(deadline::MAX_WAIT))
}

/// Returns the longest pause before the next attempt at a slot of a full server.
///
/// Slots become free every few milliseconds. A sandbox tries the more often the less time it has
/// left, so that those that have waited for longest get one, and newcomers do not pass them.
pub(crate) fn longest_pause_at_full(previous: u32, source: &Source, left: Duration) -> Duration {
    let longest = source.retry_base.saturating_mul(1 << previous.min(16));
    let most = (left / 4).min(LONGEST_AT_FULL).max(source.retry_base);
    longest.min(most).min(source.retry_cap)
}

/// Returns a random part of `longest`.
fn random_part_of(longest: Duration) -> Duration {
    longest.mul_f64(random::unit())
}
