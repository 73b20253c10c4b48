//! The task that reads and writes the stream of a client.
//!
//! redis-rs and tokio-postgres hand their requests to a task. If a handler returns before the task
//! has run, they would be sent during the next invocation. So the task can also be polled from
//! outside. It then sends the requests, and reads the answers that have arrived.

use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use lambda_http::BoxFuture;
use tokio::task::unconstrained;

use crate::invocation::background;
use crate::sync::Mutex;

/// A task that is spawned, and that its owner can poll. It ends with its owner.
pub(super) struct IoTask(Arc<Mutex<State>>);

struct State {
    /// `None` once it has ended.
    work: Option<BoxFuture<'static, ()>>,
    /// The waker of the spawned task, once it has been polled.
    waker: Option<Waker>,
    /// The waker of a future that waits for the task's progress.
    watcher: Option<Waker>,
}

impl IoTask {
    pub(super) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Self {
        let state = Arc::new(Mutex::new(State {
            work: Some(Box::pin(work)),
            waker: None,
            watcher: None,
        }));
        let spawned = Arc::clone(&state);
        background::serve(Box::pin(poll_fn(move |cx| {
            let (poll, watcher) = {
                let mut state = spawned.lock();
                state.waker = Some(cx.waker().clone());
                (state.poll(cx), state.watcher.take())
            };
            if let Some(watcher) = watcher {
                watcher.wake();
            }
            poll
        })));
        Self(state)
    }

    /// Sends what the task was given, and reads what has arrived, without waiting. Returns `false`
    /// if the task has ended, as it does when its stream ends.
    pub(super) fn catch_up(&self) -> bool {
        // Locked throughout, so that the waker is that of the last poll. What this poll waits for
        // must wake the spawned task. Before its first poll it needs no waker.
        let mut state = self.0.lock();
        let waker = state.waker.clone();
        let waker = waker.as_ref().unwrap_or(Waker::noop());
        // The budget of the handler's task must not end the poll.
        let poll = pin!(unconstrained(poll_fn(|cx| state.poll(cx))));
        poll.poll(&mut Context::from_waker(waker)).is_pending()
    }

    /// Waits until `is_done` returns `true`, while the task works. `catch_up` is that of the task,
    /// or one around it. Returns `false` if the task has ended.
    #[cfg(feature = "tokio-postgres")]
    pub(super) async fn until(
        &self,
        catch_up: impl Fn() -> bool + Send,
        is_done: impl Fn() -> bool + Send,
    ) -> bool {
        poll_fn(|cx| {
            // The task wakes it after each poll.
            self.0.lock().watcher = Some(cx.waker().clone());
            let is_alive = catch_up();
            if is_done() || !is_alive {
                Poll::Ready(is_alive)
            } else {
                Poll::Pending
            }
        })
        .await
    }

    /// Drops the work, and with it the stream.
    fn end(&self) {
        let (work, waker) = {
            let mut state = self.0.lock();
            (state.work.take(), state.waker.take())
        };
        drop(work);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for IoTask {
    fn drop(&mut self) {
        self.end();
    }
}

impl State {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(work) = self.work.as_mut() else {
            return Poll::Ready(());
        };
        // After a panic it is over, as if its stream had ended. The panic was reported.
        let poll = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx)));
        let poll = poll.unwrap_or(Poll::Ready(()));
        if poll.is_ready() {
            self.work = None;
        }
        poll
    }
}

impl fmt::Debug for IoTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IoTask").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    /// Returns a task that moves what it was given from one channel to another.
    fn moving() -> (
        IoTask,
        mpsc::UnboundedSender<u32>,
        mpsc::UnboundedReceiver<u32>,
    ) {
        let (given, mut requests) = mpsc::unbounded_channel();
        let (stream, sent) = mpsc::unbounded_channel();
        let task = IoTask::spawn(async move {
            while let Some(request) = requests.recv().await {
                if stream.send(request).is_err() {
                    return;
                }
            }
        });
        (task, given, sent)
    }

    #[tokio::test]
    async fn it_sends_what_it_was_given_before_and_after_its_first_poll() {
        let (task, given, mut sent) = moving();
        for has_run in [false, true] {
            // More than the budget of a task.
            for n in 0..1_000 {
                given.send(n).expect("a task");
            }
            assert!(task.catch_up());
            for n in 0..1_000 {
                assert_eq!(sent.try_recv(), Ok(n), "{has_run}");
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_poll_from_outside_leaves_the_task_awake() {
        let (task, given, mut sent) = moving();
        tokio::task::yield_now().await;
        for n in 0..3 {
            assert!(task.catch_up());
            given.send(n).expect("a task");
            assert_eq!(sent.recv().await, Some(n));
        }
    }

    #[tokio::test]
    async fn it_ends_with_a_panic_of_its_work() {
        let (given, mut requests) = mpsc::unbounded_channel::<()>();
        let task = IoTask::spawn(async move {
            requests.recv().await;
            std::panic::resume_unwind(Box::new("the client panics"));
        });
        tokio::task::yield_now().await;
        assert!(task.catch_up());
        given.send(()).expect("a task");
        tokio::task::yield_now().await;
        assert!(!task.catch_up());
    }

    #[tokio::test]
    async fn it_ends_with_its_work_and_with_its_owner() {
        let (task, given, mut sent) = moving();
        drop(given);
        assert!(!task.catch_up());
        assert_eq!(sent.recv().await, None);

        let (task, given, _sent) = moving();
        tokio::task::yield_now().await;
        drop(task);
        assert!(given.is_closed(), "at once, and not when the runtime runs");
    }
}
