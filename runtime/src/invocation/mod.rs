//! What is known of the invocation that a task serves.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::Error;

tokio::task_local! {
    /// The invocation that this task serves.
    pub(crate) static INVOCATION: Arc<Invocation>;
}

/// One invocation, from its event to its response.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// Its own in this process.
    pub(crate) id: u64,
    /// Its end; `None` if it is not known.
    deadline: Option<Instant>,
    /// Says that its response is out; none in what it has left behind.
    response: Option<watch::Sender<bool>>,
    has_responded: watch::Receiver<bool>,
    /// The leases that it was refused.
    refusals: Mutex<Vec<Refusal>>,
}

#[derive(Debug)]
struct Refusal {
    error: Error,
    /// The error that the handler was given is alive, whatever it is wrapped in.
    alive: Weak<()>,
}

/// Lives as long as the [`Error`] that owns it.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Witness(#[expect(dead_code, reason = "it is only kept")] Option<Arc<()>>);

impl Invocation {
    pub(crate) fn new(deadline: Option<Instant>) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (response, has_responded) = watch::channel(false);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            deadline,
            response: Some(response),
            has_responded,
            refusals: Mutex::default(),
        })
    }

    /// The same for a task that it leaves behind, and that may outlive it.
    pub(crate) fn left_behind(&self) -> Arc<Self> {
        Arc::new(Self {
            id: self.id,
            deadline: self.deadline,
            response: None,
            has_responded: self.has_responded.clone(),
            refusals: Mutex::default(),
        })
    }

    /// One whose deadline Lambda tells, in milliseconds of the Unix epoch.
    pub(crate) fn until(epoch_ms: u64) -> Arc<Self> {
        Self::new(deadline(epoch_ms))
    }

    /// Its response is out.
    pub(crate) fn respond(&self) {
        if let Some(response) = &self.response {
            response.send_replace(true);
        }
    }

    fn refusals(&self) -> MutexGuard<'_, Vec<Refusal>> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The invocation of the current task, if it serves one.
pub(crate) fn current() -> Option<Arc<Invocation>> {
    INVOCATION.try_with(Arc::clone).ok()
}

/// Its end, if that is known.
pub(crate) fn current_deadline() -> Option<Instant> {
    INVOCATION
        .try_with(|invocation| invocation.deadline)
        .ok()
        .flatten()
}

/// Waits until the response of the current invocation is out, as far as that is known.
pub(crate) fn responded() -> impl Future<Output = ()> + Send + 'static {
    let response = INVOCATION.try_with(|invocation| invocation.has_responded.clone());
    async {
        if let Ok(mut response) = response {
            // Or it has ended without one.
            let _ = response.wait_for(|is_out| *is_out).await;
        }
    }
}

/// Remembers that the current invocation was refused a connection that may be had later, for as
/// long as `error` is alive.
pub(crate) fn remember(mut error: Error) -> Error {
    let _ = INVOCATION.try_with(|invocation| {
        let Some(copy) = error.copy().filter(Error::passes) else {
            return;
        };
        let witness = Arc::new(());
        let mut refusals = invocation.refusals();
        refusals.retain(Refusal::is_alive);
        refusals.push(Refusal {
            error: copy,
            alive: Arc::downgrade(&witness),
        });
        drop(refusals);
        error.put(Witness(Some(witness)));
    });
    error
}

/// The refusal that the current invocation has not got over: its error is still alive.
///
/// Asked with the handler's error in hand, this tells whether that is a refusal, or wraps one in
/// whatever type.
pub(crate) fn refusal() -> Option<Error> {
    INVOCATION
        .try_with(|invocation| {
            let refusals = invocation.refusals();
            let refusal = refusals.iter().rfind(|refusal| refusal.is_alive());
            refusal.and_then(|refusal| refusal.error.copy())
        })
        .ok()
        .flatten()
}

impl Refusal {
    fn is_alive(&self) -> bool {
        self.alive.strong_count() > 0
    }
}

/// Lambda's deadline, in milliseconds of the Unix epoch, by the monotonic clock; `None` for one
/// in the past, which cargo-lambda sends and which means that nobody knows.
fn deadline(epoch_ms: u64) -> Option<Instant> {
    let left = SystemTime::UNIX_EPOCH
        .checked_add(Duration::from_millis(epoch_ms))?
        .duration_since(SystemTime::now())
        .ok()?;
    Instant::now().checked_add(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_in_the_past_is_unknown_and_one_beyond_all_time_no_panic() {
        assert_eq!(deadline(600_000), None);
        let _ = deadline(u64::MAX);
    }

    #[derive(Debug)]
    enum Wrapped {
        Database(#[expect(dead_code, reason = "it is only kept")] Box<dyn std::error::Error>),
    }

    #[test]
    fn a_refusal_is_known_by_its_error_whatever_that_is_wrapped_in() {
        INVOCATION.sync_scope(Invocation::new(None), || {
            let error = remember(Error::saturated("full"));
            let wrapped = Wrapped::Database(Box::new(std::io::Error::other(error)));
            let known = refusal().expect("it is alive");
            assert!(known.to_string().contains("full"), "{known}");
            drop(wrapped);
            assert!(refusal().is_none(), "the handler got over it");
            let _rejected = remember(Error::rejected("no such user"));
            assert!(refusal().is_none(), "it will not pass");
            let _one = remember(Error::unavailable("down"));
            let two = remember(Error::unavailable("still down"));
            drop(two);
            let known = refusal().expect("the first is alive");
            assert!(known.to_string().contains(": down"), "{known}");
        });
    }

    #[test]
    fn outside_an_invocation_nothing_is_remembered() {
        let _error = remember(Error::saturated("full"));
        assert!(refusal().is_none());
        assert!(current().is_none());
    }
}
