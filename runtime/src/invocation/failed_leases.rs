//! The leases of the current invocation that failed with a transient error.

use std::sync::Weak;

use super::INVOCATION;
use crate::error::Error;
use crate::sync::Mutex;

/// The failed leases of one invocation.
#[derive(Debug, Default)]
pub(super) struct FailedLeases(Mutex<Vec<FailedLease>>);

#[derive(Debug)]
struct FailedLease {
    error: Error,
    /// Dangles once the error that the handler got is dropped.
    alive: Weak<()>,
}

impl FailedLease {
    fn is_alive(&self) -> bool {
        self.alive.strong_count() > 0
    }
}

/// Remembers a transient error of the current invocation for as long as `error` is alive.
pub(crate) fn remember(error: &Error) {
    let Some(copy) = error.clone_as_text().filter(Error::is_transient) else {
        return;
    };
    let Some(alive) = error.watch() else {
        return;
    };
    let _ = INVOCATION.try_with(|invocation| {
        let mut failed = invocation.failed_leases.0.lock();
        failed.retain(FailedLease::is_alive);
        failed.push(FailedLease { error: copy, alive });
    });
}

/// Returns the transient error of the current invocation that is still alive.
///
/// Called while the handler's error exists, it finds out whether that error is ours or wraps
/// ours, in whatever type. An error that the handler recovered from was dropped by then.
pub(crate) fn current() -> Option<Error> {
    INVOCATION
        .try_with(|invocation| {
            let failed = invocation.failed_leases.0.lock();
            let last = failed.iter().rfind(|lease| lease.is_alive());
            last.and_then(|lease| lease.error.clone_as_text())
        })
        .ok()
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::super::Invocation;
    use super::*;

    fn failed(error: Error) -> Error {
        remember(&error);
        error
    }

    #[derive(Debug)]
    enum Wrapped {
        Database(#[expect(dead_code, reason = "only kept alive")] Box<dyn std::error::Error>),
    }

    #[test]
    fn an_error_is_found_in_any_wrapper() {
        INVOCATION.sync_scope(Invocation::new(None), || {
            let error = failed(Error::saturated("full"));
            let wrapped = Wrapped::Database(Box::new(std::io::Error::other(error)));
            let found = current().expect("it is alive");
            assert!(found.to_string().contains("full"), "{found}");
            drop(wrapped);
            assert!(current().is_none(), "the handler recovered from it");
            let _rejected = failed(Error::rejected("no such user"));
            assert!(current().is_none(), "it is permanent");
            let _one = failed(Error::unavailable("down"));
            let two = failed(Error::unavailable("still down"));
            drop(two);
            let found = current().expect("the first is alive");
            assert!(found.to_string().contains(": down"), "{found}");
        });
    }

    #[test]
    fn outside_an_invocation_nothing_is_remembered() {
        let _error = failed(Error::saturated("full"));
        assert!(current().is_none());
    }
}
