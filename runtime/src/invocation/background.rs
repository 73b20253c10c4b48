//! What is owed to connections after a response: bringing them to rest, checking, closing.
//!
//! The work runs in tasks of its own, so that no response waits for it, and so that it is done
//! under a plain `lambda_http::run` too. The [`AfterResponse`](crate::AfterResponse) layer waits
//! for it before the next event is asked for, and with that before the freeze.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::runtime::{Handle, Id};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::invocation::{self, INVOCATION};

static OWED: Mutex<Vec<Owed>> = Mutex::new(Vec::new());

struct Owed {
    runtime: Id,
    /// The invocation that owes it, if it is known.
    invocation: Option<u64>,
    task: JoinHandle<()>,
}

/// Who owes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Debtor {
    Anybody,
    /// One of several invocations that this sandbox serves at once: none waits for another.
    Invocation(u64),
}

impl Owed {
    fn is_of(&self, debtor: Debtor) -> bool {
        match debtor {
            Debtor::Anybody => true,
            Debtor::Invocation(id) => self.invocation == Some(id),
        }
    }
}

fn owed() -> MutexGuard<'static, Vec<Owed>> {
    OWED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `work` in the background. Outside a runtime it is dropped, and with it the connection that
/// it owns.
pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    let invocation = invocation::current();
    let task = match &invocation {
        // What the work leaves behind in its turn is owed by the same.
        Some(invocation) => runtime.spawn(INVOCATION.scope(invocation.left_behind(), work)),
        None => runtime.spawn(work),
    };
    let mut owed = owed();
    owed.retain(|owed| !owed.task.is_finished());
    owed.push(Owed {
        runtime: runtime.id(),
        invocation: invocation.map(|invocation| invocation.id),
        task,
    });
}

/// Whether nothing is owed now.
pub(crate) fn none(by: Debtor) -> bool {
    owed()
        .iter()
        .all(|owed| owed.task.is_finished() || !owed.is_of(by))
}

/// Waits until everything owed in this runtime is done; what is not by `end` is ended, and its
/// connections are dropped.
pub(crate) async fn done(by: Debtor, end: Instant) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    loop {
        let tasks: Vec<_> = owed()
            .extract_if(.., |owed| owed.runtime == runtime.id() && owed.is_of(by))
            .collect();
        if tasks.is_empty() {
            return;
        }
        for Owed { mut task, .. } in tasks {
            if timeout_at(end, &mut task).await.is_err() {
                task.abort();
                // At its next await, where it already is: the connection is gone before the freeze.
                if task.await.is_err() {
                    tracing::debug!(target: "reuse_db", reason = "what is owed to it was not done in time", "discarded");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;
    use crate::invocation::Invocation;

    #[tokio::test(start_paused = true)]
    async fn what_is_left_behind_leaves_nothing_of_its_own_to_others() {
        let invocation = Invocation::new(None);
        let debtor = Debtor::Invocation(invocation.id);
        INVOCATION.sync_scope(invocation, || {
            spawn(async {
                sleep(Duration::from_millis(10)).await;
                spawn(sleep(Duration::from_millis(10)));
            });
        });
        let begun = Instant::now();
        done(debtor, begun + Duration::from_secs(1)).await;
        assert!(begun.elapsed() >= Duration::from_millis(20));
    }

    /// It may be dropped in the middle.
    #[tokio::test(start_paused = true)]
    async fn what_waits_for_a_response_does_not_wait_for_one_that_never_comes() {
        let invocation = Invocation::new(None);
        INVOCATION.sync_scope(invocation, || spawn(invocation::responded()));
        let begun = Instant::now();
        done(Debtor::Anybody, begun + Duration::from_secs(60)).await;
        assert!(begun.elapsed() < Duration::from_secs(1));
    }
}
