use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::answer::{FunctionError, Outcome};
use super::event::epoch_ms;
use super::log::Log;
use super::process::Process;
use super::state::{Delivery, Extension, Invocation, Phase, State};

/// What a sandbox grants its function.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) timeout: Duration,
    pub(super) concurrency: usize,
    pub(super) freezing: bool,
    pub(super) extensions: bool,
}

/// Knows who has asked for what, and so when to deliver, to freeze, to thaw and to kill one
/// process.
pub(super) struct Control {
    pub(super) process: Process,
    pub(super) log: Log,
    pub(super) terms: Terms,
    freezes: Arc<AtomicUsize>,
    state: Mutex<State>,
}

impl Control {
    pub(super) fn new(
        process: Process,
        terms: Terms,
        freezes: Arc<AtomicUsize>,
        log: Log,
    ) -> Arc<Self> {
        Arc::new(Self {
            process,
            log,
            terms,
            freezes,
            state: Mutex::default(),
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("nobody panics with the state in hand")
    }

    /// Takes an invocation, unless the process is at its end.
    pub(super) fn submit(self: &Arc<Self>, invocation: Invocation) {
        let mut state = self.state();
        if !state.over {
            state.queue.push_back(invocation);
            self.advance(&mut state);
        }
    }

    /// A worker asks for its next event.
    pub(super) fn next_event(self: &Arc<Self>) -> oneshot::Receiver<Delivery> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        state.phase = Phase::Ready;
        state.workers.push_back(sender);
        self.advance(&mut state);
        receiver
    }

    /// The runtime is ready for its snapshot.
    pub(super) fn next_restore(self: &Arc<Self>) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        state.phase = Phase::Restore;
        state.restore = Some(sender);
        self.advance(&mut state);
        receiver
    }

    /// An extension registers for `events`; the answer is its identifier.
    pub(super) fn register(&self, name: &str, events: Vec<String>) -> String {
        let id = format!("extension-{name}");
        self.state().extensions.insert(
            id.clone(),
            Extension {
                events,
                waiting: None,
            },
        );
        id
    }

    /// An extension asks for its next event.
    pub(super) fn next_extension_event(
        self: &Arc<Self>,
        id: &str,
    ) -> Option<oneshot::Receiver<Value>> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        state.extensions.get_mut(id)?.waiting = Some(sender);
        self.advance(&mut state);
        Some(receiver)
    }

    /// When a running invocation was asked for, and after how many bytes its client leaves; `None`
    /// if none of this id runs.
    pub(super) fn asked(&self, id: &str) -> Option<(Instant, Option<usize>)> {
        self.state()
            .running
            .get(id)
            .map(|invocation| (invocation.since, invocation.leaves_after))
    }

    /// An invocation has its outcome. The state stays as it is until the worker asks for more.
    pub(super) fn finish(&self, id: &str, outcome: Outcome) -> bool {
        let invocation = self.state().running.remove(id);
        invocation.is_some_and(|invocation| invocation.answer.send(outcome).is_ok())
    }

    /// The function could not initialize, or not restore, and will end.
    pub(super) fn init_failed(&self, error: FunctionError) {
        self.state().init_error = Some(error);
    }

    pub(super) fn is_over(&self) -> bool {
        self.state().over
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.state().frozen
    }

    pub(super) fn is_idle(&self) -> bool {
        self.state().idle(self.terms.concurrency)
    }

    pub(super) fn freeze(&self) {
        self.stop(&mut self.state());
    }

    pub(super) fn thaw(&self) {
        self.resume(&mut self.state());
    }

    /// Does what is to be done now that something has changed.
    fn advance(self: &Arc<Self>, state: &mut State) {
        if state.over {
            return;
        }
        if !state.queue.is_empty()
            && let Some(restore) = state.restore.take()
        {
            self.resume(state);
            let _ = restore.send(());
        }
        while let Some(worker) = state.free_worker()
            && let Some(invocation) = state.queue.pop_front()
        {
            self.resume(state);
            self.deliver(state, worker, invocation);
        }
        if state.idle(self.terms.concurrency) {
            state.unsettled = None;
            if self.terms.freezing {
                self.stop(state);
            }
        }
    }

    fn deliver(
        self: &Arc<Self>,
        state: &mut State,
        worker: oneshot::Sender<Delivery>,
        invocation: Invocation,
    ) {
        let id = invocation.id.clone();
        let deadline = SystemTime::now() + self.terms.timeout;
        let delivery = Delivery {
            id: id.clone(),
            payload: invocation.payload.clone(),
            deadline,
        };
        if worker.send(delivery).is_err() {
            state.queue.push_front(invocation);
            return;
        }
        let event =
            json!({ "eventType": "INVOKE", "requestId": id, "deadlineMs": epoch_ms(deadline) });
        state.notify("INVOKE", &event);
        state.running.insert(id.clone(), invocation);
        state.unsettled = Some(id.clone());
        let (control, timeout) = (Arc::downgrade(self), self.terms.timeout);
        tokio::spawn(async move {
            tokio::time::sleep(timeout).await;
            if let Some(control) = control.upgrade() {
                control.overdue(&id);
            }
        });
    }

    fn stop(&self, state: &mut State) {
        if !std::mem::replace(&mut state.frozen, true) {
            self.process.signal(Signal::SIGSTOP);
            self.freezes.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn resume(&self, state: &mut State) {
        if std::mem::take(&mut state.frozen) {
            self.process.signal(Signal::SIGCONT);
        }
    }
}
