//! The targets that reject a limit for idle sessions.

use crate::source::Source;
use crate::sync::Mutex;
use crate::telemetry::events;

static TARGETS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Returns `true` if the source's server or proxy has rejected the limit in this process.
pub(super) fn is_known(source: &Source) -> bool {
    let targets = TARGETS.lock();
    !targets.is_empty() && targets.contains(&source.target())
}

/// Remembers the source's target, and logs that once.
pub(super) fn remember(source: &Source, error: &sqlx::Error) {
    let target = source.target();
    let mut targets = TARGETS.lock();
    // A concurrent connect may have remembered it first.
    if !targets.contains(&target) {
        events::unsupported(&target, error);
        targets.push(target);
    }
}
