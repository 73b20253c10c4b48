//! Limits of waits: durations, and the deadline of the current invocation.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{INVOCATION, Invocation};
use crate::clock::Timestamp;
use crate::sync::Mutex;

/// The time that a handler keeps for its answer if no connection becomes available.
const MARGIN: Duration = Duration::from_millis(250);

/// The time that the runtime keeps to post the response or to ask for the next event.
const FINAL_MARGIN: Duration = Duration::from_millis(50);

/// The time that the runtime keeps after a handler that was ended by its deadline. Little is left
/// to end its statement at the server.
const MARGIN_AFTER_END: Duration = Duration::from_millis(30);

/// The time between a handler's end and the deadline, by default.
pub(crate) const HANDLER_MARGIN: Duration = Duration::from_millis(100);

/// The time beyond that of the handler that a lease leaves. A part of it is [`HANDLER_MARGIN`].
const AFTER_LEASE: Duration = Duration::from_millis(200);

/// The time that a handler keeps for its answer if COMMIT has none. It is longer than
/// [`HANDLER_MARGIN`], so that the handler returns the error.
#[cfg(feature = "_transaction")]
const COMMIT_MARGIN: Duration = Duration::from_millis(120);

/// An upper bound of all waits that cannot overflow an [`Instant`].
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Returns the end of a wait of at most `wait`.
pub(crate) fn after(wait: Duration) -> Instant {
    Instant::now() + wait.min(MAX_WAIT)
}

/// Returns the end of a wait of at most `wait` that also ends 250 ms before the invocation's
/// deadline.
pub(crate) fn before_deadline(wait: Duration) -> Instant {
    with_margin(of_answer(), MARGIN, wait)
}

/// Returns the end of a wait of at most `wait` that leaves the handler the time `needed` before the
/// invocation's deadline, and 200 ms for its answer. It is never later than
/// [`before_deadline`], and uses at least half of the time.
pub(crate) fn leaving(needed: Duration, wait: Duration) -> Instant {
    let left = match of_answer() {
        Some(deadline) => deadline.saturating_duration_since(Instant::now()),
        None => MAX_WAIT,
    };
    let margin = (needed + AFTER_LEASE).min(left / 2);
    with_margin(of_answer(), margin.max(MARGIN), wait)
}

/// Returns the end of a wait for COMMIT: at most `wait`, and 120 ms before the invocation's
/// deadline.
#[cfg(feature = "_transaction")]
pub(crate) fn before_handler_end(wait: Duration) -> Instant {
    with_margin(of_answer(), COMMIT_MARGIN, wait)
}

/// Returns the end of a wait after the handler: at most `wait`, and 50 ms before the invocation's
/// deadline, or 30 ms before it if the handler was ended.
pub(crate) fn before_deadline_final(wait: Duration) -> Instant {
    let deadline = super::current().and_then(|invocation| invocation.deadline);
    let margin = if has_handler_ended() {
        MARGIN_AFTER_END
    } else {
        FINAL_MARGIN
    };
    with_margin(deadline, margin, wait)
}

/// Returns the deadline of the handler's answer: the invocation's, or an earlier one if the handler
/// is ended earlier than 100 ms before that.
fn of_answer() -> Option<Instant> {
    let end = |invocation: &Arc<Invocation>| {
        let end = invocation.handler_end.get();
        let end = end.map(|end| *end + HANDLER_MARGIN);
        [invocation.deadline, end].into_iter().flatten().min()
    };
    INVOCATION.try_with(end).ok().flatten()
}

/// Returns the end of a handler: `margin` before the invocation's deadline, and at the earliest
/// after half of the function's time-out. `None` if the deadline is unknown.
pub(crate) fn of_handler(margin: Duration) -> Option<Instant> {
    let invocation = super::current()?;
    let deadline = invocation.deadline?;
    let time_out = deadline.saturating_duration_since(invocation.begun);
    let end = deadline - margin.min(time_out / 2);
    Some(*invocation.handler_end.get_or_init(|| end))
}

/// The time of the last end of a handler by its deadline. A sqlx pool releases its connections in
/// tasks that serve no invocation.
static HANDLER_ENDED: Mutex<Option<Instant>> = Mutex::new(None);

/// Records that a handler is ended now, and the sandbox is frozen soon.
pub(crate) fn handler_ended() {
    *HANDLER_ENDED.lock() = Some(Instant::now());
}

/// Returns `true` if a handler was ended less than 100 ms ago.
pub(crate) fn has_handler_ended() -> bool {
    let ended = *HANDLER_ENDED.lock();
    ended.is_some_and(|ended| ended.elapsed() < HANDLER_MARGIN)
}

fn with_margin(deadline: Option<Instant>, margin: Duration, wait: Duration) -> Instant {
    let end = after(wait);
    match deadline {
        Some(deadline) => end.min(deadline.checked_sub(margin).unwrap_or(deadline)),
        None => end,
    }
}

/// Runs `work` until `limit` has passed by either clock. Returns `None` if it is not done.
///
/// After a freeze `work` is not polled again; `tokio::time::timeout` would poll it once more
/// first.
pub(crate) async fn timeout_by_both_clocks<T>(
    limit: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    let begun = Timestamp::now();
    let mut work = pin!(work);
    let work = poll_fn(|cx| {
        if Timestamp::now().since(begun) > limit {
            return Poll::Ready(None);
        }
        work.as_mut().poll(cx).map(Some)
    });
    timeout(limit, work).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::mock;

    #[tokio::test]
    async fn the_longest_wait_does_not_panic() {
        let now = Instant::now();
        assert!(after(Duration::MAX) > now && before_deadline(Duration::MAX) > now);
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_not_polled_after_a_freeze() {
        let limit = Duration::from_millis(500);
        for (frozen_for, done) in [(Duration::ZERO, Some(2)), (limit * 2, None)] {
            let mut begun = 0;
            let work = async {
                begun += 1;
                tokio::time::sleep(Duration::from_millis(10)).await;
                begun += 1;
                begun
            };
            let frozen = async {
                tokio::task::yield_now().await;
                mock::advance_wall(frozen_for);
            };
            let (result, ()) = tokio::join!(timeout_by_both_clocks(limit, work), frozen);
            assert_eq!(result, done);
            assert_eq!(begun, done.unwrap_or(1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_before_a_handler_that_is_ended_early() {
        let (now, millis) = (Instant::now(), Duration::from_millis);
        let invocation = Invocation::new(Some(now + millis(3_000)));
        INVOCATION.sync_scope(invocation, || {
            assert_eq!(of_handler(millis(600)), Some(now + millis(2_400)));
            let wait = Duration::MAX;
            assert_eq!(before_deadline(wait), now + millis(2_250));
            assert_eq!(before_deadline_final(wait), now + millis(2_950));
            #[cfg(feature = "_transaction")]
            assert_eq!(before_handler_end(wait), now + millis(2_380));
        });
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_before_the_deadline() {
        let now = Instant::now();
        let seconds = Duration::from_secs;
        assert_eq!(before_deadline(seconds(5)), now + seconds(5));
        let invocation = Invocation::new(Some(now + seconds(3)));
        let within = |wait| INVOCATION.sync_scope(invocation.clone(), || before_deadline(wait));
        assert_eq!(within(seconds(5)), now + Duration::from_millis(2750));
        assert_eq!(within(seconds(1)), now + seconds(1));
        let leaving = |needed| {
            let needed = Duration::from_millis(needed);
            INVOCATION.sync_scope(invocation.clone(), || leaving(needed, seconds(5)))
        };
        let ends = [0, 150, 300, 10_000].map(|needed| leaving(needed) - now);
        assert_eq!(
            ends,
            [2_750, 2_650, 2_500, 1_500].map(Duration::from_millis)
        );
    }
}
