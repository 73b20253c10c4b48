//! Waiting for an event, with a limit: no test sleeps and hopes.

use std::fmt::Display;
use std::time::Duration;

/// How long a test waits for what should come at once: 10 s, far beyond what a busy machine needs.
pub const LIMIT: Duration = Duration::from_secs(10);

/// Looks every millisecond until `check` says that it is so.
///
/// # Panics
///
/// After [`LIMIT`], with `what` did not come.
pub async fn until(what: impl Display, mut check: impl AsyncFnMut() -> bool) {
    within(what, async {
        while !check().await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// Awaits `future` for [`LIMIT`] at most.
///
/// # Panics
///
/// After [`LIMIT`], with `what` did not come. It is printed only then, and may show how things
/// stand.
pub async fn within<T>(what: impl Display, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {LIMIT:?} in vain: {what}"),
    }
}
