//! What is owed to connections after a response: bringing them to rest, checking, closing.
//!
//! The work runs in tasks of its own, so that no response waits for it, and so that it is done
//! under a plain `lambda_http::run` too. The [`AfterResponse`](crate::AfterResponse) layer waits
//! for it before the next event is asked for, and with that before the freeze.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::runtime::{Handle, Id};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::invocation;

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
    let task = runtime.spawn(work);
    let mut owed = owed();
    owed.retain(|owed| !owed.task.is_finished());
    owed.push(Owed {
        runtime: runtime.id(),
        invocation: invocation::current_id(),
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
                let _ = task.await;
            }
        }
    }
}
