//! How much time is left.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// What is left to the handler to answer with after a connection could not be had in time.
const MARGIN: Duration = Duration::from_millis(250);
/// What is left to the runtime to post the response with, or to ask for the next event.
const LAST_MARGIN: Duration = Duration::from_millis(50);

tokio::task_local! {
    /// The end of the invocation that this task serves; `None` if it is not known.
    pub(crate) static DEADLINE: Option<Instant>;
}

/// Lambda's deadline, in milliseconds of the Unix epoch, by the monotonic clock; `None` for one
/// in the past, which cargo-lambda sends and which means that nobody knows.
pub(crate) fn deadline(epoch_ms: u64) -> Option<Instant> {
    let left = (SystemTime::UNIX_EPOCH + Duration::from_millis(epoch_ms))
        .duration_since(SystemTime::now())
        .ok()?;
    Instant::now().checked_add(left)
}

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
    match DEADLINE.try_with(|deadline| *deadline) {
        Ok(Some(deadline)) => end.min(deadline.checked_sub(margin).unwrap_or(deadline)),
        _ => end,
    }
}

/// Longer than any wait, and still no overflow.
pub(crate) const FAR: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_longest_wait_is_no_panic() {
        assert!(after(Duration::MAX) > Instant::now() && until(Duration::MAX) > Instant::now());
    }

    #[test]
    fn a_deadline_in_the_past_is_unknown() {
        assert_eq!(deadline(600_000), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_less_the_margin_ends_a_wait() {
        let now = Instant::now();
        assert_eq!(until(Duration::from_secs(5)), now + Duration::from_secs(5));
        let deadline = Some(now + Duration::from_secs(3));
        let within = |wait| DEADLINE.sync_scope(deadline, || until(wait));
        assert_eq!(
            within(Duration::from_secs(5)),
            now + Duration::from_millis(2750)
        );
        assert_eq!(within(Duration::from_secs(1)), now + Duration::from_secs(1));
    }
}
