//! How much time is left.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::clock::Moment;
use crate::invocation;

/// What is left to the handler to answer with after a connection could not be had in time.
const MARGIN: Duration = Duration::from_millis(250);
/// What is left to the runtime to post the response with, or to ask for the next event.
const LAST_MARGIN: Duration = Duration::from_millis(50);

/// The end of a wait that may take `wait`, however long that is.
pub(crate) fn after(wait: Duration) -> Instant {
    Instant::now() + wait.min(FAR)
}

/// The end of a wait that may take `wait`, or what is left of the invocation less 250 ms, whichever
/// is first.
pub(crate) fn until(wait: Duration) -> Instant {
    until_before(MARGIN, wait)
}

/// The same less 50 ms only: for what comes after the handler.
pub(crate) fn until_the_last(wait: Duration) -> Instant {
    until_before(LAST_MARGIN, wait)
}

fn until_before(margin: Duration, wait: Duration) -> Instant {
    let end = after(wait);
    match invocation::current_deadline() {
        Some(deadline) => end.min(deadline.checked_sub(margin).unwrap_or(deadline)),
        None => end,
    }
}

/// Does `work` within `limit`, by either clock: of what was frozen in the middle nothing more is begun, where
/// a time-out would first let it go on. `None` if it is not done.
pub(crate) async fn strictly<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let begun = Moment::now();
    let mut work = pin!(work);
    let work = poll_fn(|cx| {
        if Moment::now().since(begun) > limit {
            return Poll::Ready(None);
        }
        work.as_mut().poll(cx).map(Some)
    });
    timeout(limit, work).await.ok().flatten()
}

/// Longer than any wait, and still no overflow.
pub(crate) const FAR: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::turn;
    use crate::invocation::{INVOCATION, Invocation};

    #[tokio::test]
    async fn the_longest_wait_is_no_panic() {
        assert!(after(Duration::MAX) > Instant::now() && until(Duration::MAX) > Instant::now());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_frozen_in_the_middle_does_not_go_on() {
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
                turn::wall(frozen_for);
            };
            let (result, ()) = tokio::join!(strictly(limit, work), frozen);
            assert_eq!(result, done);
            assert_eq!(begun, done.unwrap_or(1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_less_the_margin_ends_a_wait() {
        let now = Instant::now();
        assert_eq!(until(Duration::from_secs(5)), now + Duration::from_secs(5));
        let invocation = Invocation::new(Some(now + Duration::from_secs(3)));
        let within = |wait| INVOCATION.sync_scope(invocation.clone(), || until(wait));
        assert_eq!(
            within(Duration::from_secs(5)),
            now + Duration::from_millis(2750)
        );
        assert_eq!(within(Duration::from_secs(1)), now + Duration::from_secs(1));
    }
}
