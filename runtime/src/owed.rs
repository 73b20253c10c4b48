//! What is owed to connections after a response: bringing them to rest, checking, closing.
//!
//! The work runs in tasks of its own, so that no response waits for it, and so that it is done
//! under a plain `lambda_http::run` too. The [`AfterResponse`](crate::AfterResponse) layer waits
//! for it before the next event is asked for, and with that before the freeze.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::runtime::{Handle, Id};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

/// The tasks, each with the runtime that it belongs to.
static OWED: Mutex<Vec<(Id, JoinHandle<()>)>> = Mutex::new(Vec::new());

fn owed() -> MutexGuard<'static, Vec<(Id, JoinHandle<()>)>> {
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
    owed.retain(|(_, task)| !task.is_finished());
    owed.push((runtime.id(), task));
}

/// Whether nothing is owed now.
pub(crate) fn none() -> bool {
    owed().iter().all(|(_, task)| task.is_finished())
}

/// Waits until everything owed in this runtime is done; what is not by `end` is ended, and its
/// connections are dropped.
pub(crate) async fn done(end: Instant) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    loop {
        let tasks: Vec<_> = owed()
            .extract_if(.., |(id, _)| *id == runtime.id())
            .collect();
        if tasks.is_empty() {
            return;
        }
        for (_, mut task) in tasks {
            if timeout_at(end, &mut task).await.is_err() {
                task.abort();
                // At its next await, where it already is: the connection is gone before the freeze.
                let _ = task.await;
            }
        }
    }
}
