//! Work that an invocation leaves behind after its response: quiescing, checking and closing
//! connections.
//!
//! The work runs in tasks of its own. So no response waits for it, and it also runs under a plain
//! `lambda_http::run`. The [`AfterResponse`](crate::AfterResponse) layer waits for it before it
//! asks for the next event, which is before the freeze.

use lambda_http::BoxFuture;
use tokio::runtime::{Handle, Id};
#[cfg(feature = "_stream")]
use tokio::task::AbortHandle;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::INVOCATION;
use crate::sync::Mutex;
use crate::telemetry::events;

static TASKS: Mutex<Vec<BackgroundTask>> = Mutex::new(Vec::new());

struct BackgroundTask {
    runtime: Id,
    /// The invocation that left the work behind, if any.
    invocation: Option<u64>,
    task: JoinHandle<()>,
}

/// The invocations whose work is meant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Owner {
    /// All of them, and tasks that serve no invocation.
    Any,
    /// A single one, of several that this sandbox serves at once.
    Invocation(u64),
}

impl BackgroundTask {
    fn is_of(&self, owner: Owner) -> bool {
        match owner {
            Owner::Any => true,
            Owner::Invocation(id) => self.invocation == Some(id),
        }
    }
}

/// Runs `work` in the background. Outside a runtime the work is dropped, and the connection that
/// it owns with it.
pub(crate) fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    spawn_boxed(Box::pin(work));
}

/// Spawns work that is boxed, so that tokio's functions for a task are compiled in this crate.
fn spawn_boxed(work: BoxFuture<'static, ()>) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    let invocation = super::current();
    let task = match &invocation {
        // Work that this work leaves behind belongs to the same invocation.
        Some(invocation) => runtime.spawn(INVOCATION.scope(invocation.for_background(), work)),
        None => runtime.spawn(work),
    };
    let mut tasks = TASKS.lock();
    tasks.retain(|task| !task.task.is_finished());
    tasks.push(BackgroundTask {
        runtime: runtime.id(),
        invocation: invocation.map(|invocation| invocation.id),
        task,
    });
}

/// The tasks that serve connections, each for as long as its connection lives.
#[cfg(feature = "_stream")]
static SERVING: Mutex<Vec<(Id, AbortHandle)>> = Mutex::new(Vec::new());

/// Spawns a task that serves a connection, and that ends with the connection. Nobody waits for it.
#[cfg(feature = "_stream")]
pub(crate) fn serve(work: BoxFuture<'static, ()>) {
    let task = tokio::spawn(work).abort_handle();
    let mut tasks = SERVING.lock();
    tasks.retain(|(_, task)| !task.is_finished());
    tasks.push((Handle::current().id(), task));
}

/// Returns the number of tasks that serve connections in a runtime.
#[cfg(feature = "_stream")]
fn serving(runtime: Id) -> usize {
    let is_serving = |(id, task): &&(Id, AbortHandle)| *id == runtime && !task.is_finished();
    SERVING.lock().iter().filter(is_serving).count()
}

#[cfg(not(feature = "_stream"))]
fn serving(_: Id) -> usize {
    0
}

/// Returns `true` if no work of `owner` is running.
pub(crate) fn is_idle(owner: Owner) -> bool {
    TASKS
        .lock()
        .iter()
        .all(|task| task.task.is_finished() || !task.is_of(owner))
}

/// Returns the number of tasks of this runtime that do such work, or serve connections.
pub(crate) fn running() -> usize {
    let Ok(runtime) = Handle::try_current() else {
        return 0;
    };
    let is_running =
        |task: &&BackgroundTask| task.runtime == runtime.id() && !task.task.is_finished();
    TASKS.lock().iter().filter(is_running).count() + serving(runtime.id())
}

/// Waits until all work of `owner` in this runtime is done. Work that is not done by `end` is
/// aborted, and its connections are dropped.
pub(crate) async fn wait(owner: Owner, end: Instant) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    loop {
        let tasks: Vec<_> = TASKS
            .lock()
            .extract_if(.., |task| task.runtime == runtime.id() && task.is_of(owner))
            .collect();
        if tasks.is_empty() {
            return;
        }
        for BackgroundTask { mut task, .. } in tasks {
            if timeout_at(end, &mut task).await.is_err() {
                task.abort();
                // An aborted task ends at its current await: the connection is dropped before
                // the freeze.
                if task.await.is_err() {
                    events::discarded("background work was not done in time");
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
    use crate::invocation::{self, Invocation};

    #[tokio::test(start_paused = true)]
    async fn work_of_background_work_belongs_to_the_same_invocation() {
        let invocation = Invocation::new(None);
        let owner = Owner::Invocation(invocation.id);
        INVOCATION.sync_scope(invocation, || {
            spawn(async {
                sleep(Duration::from_millis(10)).await;
                spawn(sleep(Duration::from_millis(10)));
            });
        });
        let begun = Instant::now();
        wait(owner, begun + Duration::from_secs(1)).await;
        assert!(begun.elapsed() >= Duration::from_millis(20));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_a_response_ends_with_the_invocation() {
        let invocation = Invocation::new(None);
        INVOCATION.sync_scope(invocation, || spawn(invocation::responded()));
        let begun = Instant::now();
        wait(Owner::Any, begun + Duration::from_secs(60)).await;
        assert!(begun.elapsed() < Duration::from_secs(1));
    }
}
