//! Who refused to be asked for an end of idle sessions.

use std::sync::{Mutex, PoisonError};

use crate::Source;

/// The targets.
static BY: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Whether the source's server, or what is before it, did so in this process.
pub(super) fn is_known(source: &Source) -> bool {
    let by = BY.lock().unwrap_or_else(PoisonError::into_inner);
    !by.is_empty() && by.contains(&source.target())
}

/// Nothing is asked from now on, and that is said once.
pub(super) fn remember(source: &Source, error: &sqlx::Error) {
    let target = source.target();
    let mut by = BY.lock().unwrap_or_else(PoisonError::into_inner);
    // Another that connected at the same time may have met it first.
    if !by.contains(&target) {
        tracing::warn!(target: "reuse_db", %target, %error, "refused: connecting without `idle_session_timeout`");
        by.push(target);
    }
}
