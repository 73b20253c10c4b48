//! How much time is left.

use std::time::Duration;

use tokio::time::Instant;

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

/// Longer than any wait, and still no overflow.
pub(crate) const FAR: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::{INVOCATION, Invocation};

    #[tokio::test]
    async fn the_longest_wait_is_no_panic() {
        assert!(after(Duration::MAX) > Instant::now() && until(Duration::MAX) > Instant::now());
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
