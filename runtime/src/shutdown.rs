//! Closing what is kept.

use std::time::Duration;

use crate::{limit, owed, registry};

/// How long it may take: Lambda leaves a sandbox 300 to 500 ms between SIGTERM and SIGKILL.
const LIMIT: Duration = Duration::from_millis(300);

/// Closes every connection that is kept idle in this tokio runtime, politely, and finishes what is
/// owed to others, within 300 ms; what is not done by then is dropped. A connection that is leased
/// is left to its invocation.
///
/// [`run`](crate::run) calls it off Lambda, when it ends; on Lambda nobody does yet. Statics stay
/// usable: the next lease opens a new connection.
pub async fn shutdown() {
    for work in registry::drain() {
        owed::spawn(work);
    }
    owed::done(limit::after(LIMIT)).await;
}
