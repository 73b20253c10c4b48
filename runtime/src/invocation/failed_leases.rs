//! The leases of the current invocation that failed with a transient error.

use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};

use super::INVOCATION;
use crate::error::Error;
use crate::sync::Mutex;

/// The failed leases of one invocation.
#[derive(Debug, Default)]
pub(super) struct FailedLeases {
    failed: Mutex<Vec<FailedLease>>,
    /// The last failure of a pool to connect in the middle of the handler. The pool does not report
    /// it.
    #[cfg(feature = "_sqlx")]
    cause: Mutex<Option<Error>>,
    /// `true` if a pool of the invocation signs in with credentials from a function.
    has_credentials: AtomicBool,
}

#[derive(Debug)]
struct FailedLease {
    error: Error,
    /// Dangles once the error that the handler got is dropped. `None` if the error is not ours.
    alive: Option<Weak<()>>,
}

impl FailedLease {
    fn is_alive(&self) -> bool {
        let alive = self.alive.as_ref();
        alive.is_none_or(|alive| alive.strong_count() > 0)
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
        let mut failed = invocation.failed_leases.failed.lock();
        failed.retain(FailedLease::is_alive);
        let alive = Some(alive);
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
            let failed = invocation.failed_leases.failed.lock();
            let last = failed.iter().rfind(|lease| lease.is_alive());
            last.and_then(|lease| lease.error.clone_as_text())
        })
        .ok()
        .flatten()
}

/// Remembers why a pool could not connect in the middle of the handler.
#[cfg(feature = "_sqlx")]
pub(crate) fn record_cause(error: &Error) {
    let Some(copy) = error.clone_as_text() else {
        return;
    };
    let _ = INVOCATION.try_with(|invocation| {
        *invocation.failed_leases.cause.lock() = Some(copy);
    });
}

/// Remembers that a pool of the invocation signs in with credentials from a function, which may
/// follow a rotation late.
pub(crate) fn pool_has_credentials() {
    let _ = INVOCATION.try_with(|invocation| {
        let has_credentials = &invocation.failed_leases.has_credentials;
        has_credentials.store(true, Ordering::Relaxed);
    });
}

/// Returns `true` if a pool of the invocation signs in with credentials from a function.
#[cfg(feature = "_sqlx")]
pub(crate) fn has_pool_credentials() -> bool {
    let has_credentials = INVOCATION.try_with(|invocation| {
        let has_credentials = &invocation.failed_leases.has_credentials;
        has_credentials.load(Ordering::Relaxed)
    });
    has_credentials.unwrap_or(false)
}

/// Remembers that the handler returns an error of a pool that has no connection, and returns the
/// cause with the time since the invocation began. `None` if the pool has met a permanent error, or
/// if this was remembered before: a handler may return the error of another.
///
/// The error is not ours, so it counts for the rest of the invocation.
#[cfg(feature = "_sqlx")]
pub(crate) fn remember_pool(otherwise: Error) -> Option<(Error, std::time::Duration)> {
    INVOCATION
        .try_with(|invocation| {
            let leases = &invocation.failed_leases;
            let cause = leases.cause.lock().take();
            let error = cause.unwrap_or(otherwise);
            let copy = error.clone_as_text().filter(Error::is_transient)?;
            let mut failed = leases.failed.lock();
            if failed.iter().any(|lease| lease.alive.is_none()) {
                return None;
            }
            failed.push(FailedLease {
                error: copy,
                alive: None,
            });
            Some((error, invocation.begun.elapsed()))
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

    #[cfg(feature = "_sqlx")]
    #[test]
    fn an_error_of_a_pool_has_the_cause_that_the_pool_met() {
        INVOCATION.sync_scope(Invocation::new(None), || {
            record_cause(&Error::unavailable("refused"));
            let (error, _) =
                remember_pool(Error::unavailable("timed out")).expect("a transient cause");
            assert!(error.to_string().contains("refused"), "{error}");
            let found = current().expect("it lasts");
            assert!(found.to_string().contains("refused"), "{found}");
            assert!(
                remember_pool(Error::unavailable("timed out")).is_none(),
                "of an outer handler"
            );
        });
        INVOCATION.sync_scope(Invocation::new(None), || {
            record_cause(&Error::rejected("no such user"));
            assert!(
                remember_pool(Error::unavailable("timed out")).is_none(),
                "it is permanent"
            );
        });
        INVOCATION.sync_scope(Invocation::new(None), || {
            assert!(current().is_none());
            let (error, _) = remember_pool(Error::unavailable("timed out")).expect("a cause");
            assert!(error.to_string().contains("timed out"), "{error}");
        });
        assert!(
            remember_pool(Error::unavailable("timed out")).is_none(),
            "outside an invocation"
        );
    }

    #[test]
    fn outside_an_invocation_nothing_is_remembered() {
        let _error = failed(Error::saturated("full"));
        assert!(current().is_none());
    }
}
