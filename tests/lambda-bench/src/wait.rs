//! Waiting for an event, with a limit. No test sleeps for a fixed time and hopes.

use std::fmt::Display;
use std::time::Duration;

/// The limit of every wait for an event that should happen at once.
///
/// 10 s are far more than a busy machine needs.
pub const LIMIT: Duration = Duration::from_secs(10);

/// Calls `check` every millisecond until it returns `true`.
///
/// # Panics
///
/// After [`LIMIT`], with `what` in the message.
pub async fn until(what: impl Display, mut check: impl AsyncFnMut() -> bool) {
    within(what, async {
        while !check().await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// Awaits `future` for at most [`LIMIT`].
///
/// # Panics
///
/// After [`LIMIT`], with `what` in the message. `what` is formatted only then, so it can show the
/// state at that time.
pub async fn within<T>(what: impl Display, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, future).await {
        Ok(value) => value,
        Err(_) => panic!("timed out after {LIMIT:?} waiting for {what}"),
    }
}
