use std::collections::{BTreeMap, HashMap, VecDeque};
use std::process::ExitStatus;
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

/// What a sandbox grants its function.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    pub(super) timeout: Duration,
    pub(super) concurrency: usize,
    pub(super) freezing: bool,
}

/// Knows who has asked for what, and so when to deliver, to freeze, to thaw and to kill one process.
pub(super) struct Control {
    pub(super) process: Process,
    pub(super) log: Log,
    terms: Terms,
    freezes: Arc<AtomicUsize>,
    state: Mutex<State>,
}

/// An invocation on its way. Dropped without an answer it was not delivered, and another process may have it.
pub(super) struct Invocation {
    pub(super) id: String,
    pub(super) payload: Value,
    pub(super) since: Instant,
    pub(super) answer: oneshot::Sender<Outcome>,
}

/// What `/next` brings.
pub(super) struct Delivery {
    pub(super) id: String,
    pub(super) payload: Value,
    pub(super) deadline: SystemTime,
}

#[derive(Default)]
struct State {
    phase: Phase,
    /// Every poll of `/next` that has no event yet.
    workers: VecDeque<oneshot::Sender<Delivery>>,
    /// The poll of `/restore/next`.
    restore: Option<oneshot::Sender<()>>,
    extensions: BTreeMap<String, Extension>,
    queue: VecDeque<Invocation>,
    running: HashMap<String, Invocation>,
    /// The last invocation delivered, until all have asked for the next event.
    unsettled: Option<String>,
    frozen: bool,
    init_error: Option<FunctionError>,
    over: bool,
}

/// How far a process has come.
#[derive(Clone, Copy, Default, PartialEq)]
enum Phase {
    #[default]
    Init,
    Restore,
    Ready,
}

struct Extension {
    events: Vec<String>,
    /// Its poll of `/extension/event/next`.
    waiting: Option<oneshot::Sender<Value>>,
}

impl Control {
    pub(super) fn new(process: Process, terms: Terms, freezes: Arc<AtomicUsize>, log: Log) -> Arc<Self> {
        Arc::new(Self { process, log, terms, freezes, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with the state in hand")
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
        self.state().extensions.insert(id.clone(), Extension { events, waiting: None });
        id
    }

    /// An extension asks for its next event.
    pub(super) fn next_extension_event(self: &Arc<Self>, id: &str) -> Option<oneshot::Receiver<Value>> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        state.extensions.get_mut(id)?.waiting = Some(sender);
        self.advance(&mut state);
        Some(receiver)
    }

    /// When a running invocation was asked for; `None` if none of this id runs.
    pub(super) fn asked_at(&self, id: &str) -> Option<Instant> {
        self.state().running.get(id).map(|invocation| invocation.since)
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

    /// The process has ended.
    pub(super) fn exited(&self, status: ExitStatus) {
        let mut state = self.state();
        state.over = true;
        state.workers.clear();
        let lost: Vec<_> = state.running.drain().map(|(_, invocation)| invocation).collect();
        let queue = std::mem::take(&mut state.queue);
        // One that never was ready would not be ready the next time either.
        let hopeless = if state.phase == Phase::Ready { VecDeque::new() } else { queue };
        let outcome = state.init_error.clone().map_or(Outcome::Crashed(status), Outcome::Failed);
        for invocation in lost.into_iter().chain(hopeless) {
            let _ = invocation.answer.send(outcome.clone());
        }
    }

    /// The time of an invocation is up: is it, or what it left to be done after the response, still running?
    pub(super) fn overdue(&self, id: &str) {
        let mut state = self.state();
        if let Some(invocation) = state.running.remove(id) {
            self.log.note("killed: the invocation timed out");
            self.kill(&mut state);
            let _ = invocation.answer.send(Outcome::TimedOut);
        } else if state.unsettled.as_deref() == Some(id) && self.terms.concurrency == 1 {
            self.log.note("killed: work after the response timed out");
            self.kill(&mut state);
        }
    }

    /// The time for initialization is up.
    pub(super) fn init_overdue(&self) {
        let mut state = self.state();
        if state.phase == Phase::Init && !state.over {
            self.log.note("killed: the initialization timed out");
            self.kill(&mut state);
            for invocation in std::mem::take(&mut state.queue) {
                let _ = invocation.answer.send(Outcome::TimedOut);
            }
        }
    }

    /// No more events: the sandbox is to end. Says whether an extension wants to know, and tells those that asked for it.
    pub(super) fn close(&self) -> bool {
        let mut state = self.state();
        state.over = true;
        self.resume(&mut state);
        let deadline = SystemTime::now() + Duration::from_millis(500);
        let event = json!({ "eventType": "SHUTDOWN", "shutdownReason": "spindown", "deadlineMs": epoch_ms(deadline) });
        state.notify("SHUTDOWN", &event);
        !state.extensions.is_empty()
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

    fn deliver(self: &Arc<Self>, state: &mut State, worker: oneshot::Sender<Delivery>, invocation: Invocation) {
        let id = invocation.id.clone();
        let deadline = SystemTime::now() + self.terms.timeout;
        let delivery = Delivery { id: id.clone(), payload: invocation.payload.clone(), deadline };
        if worker.send(delivery).is_err() {
            state.queue.push_front(invocation);
            return;
        }
        let event = json!({ "eventType": "INVOKE", "requestId": id, "deadlineMs": epoch_ms(deadline) });
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

    fn resume(&self, state: &mut State) {
        if std::mem::take(&mut state.frozen) {
            self.process.signal(Signal::SIGCONT);
        }
    }

    fn kill(&self, state: &mut State) {
        state.over = true;
        self.process.signal(Signal::SIGKILL);
    }
}

impl State {
    /// A worker that waits for an event, if one is wanted.
    fn free_worker(&mut self) -> Option<oneshot::Sender<Delivery>> {
        self.workers.retain(|worker| !worker.is_closed());
        if self.queue.is_empty() { None } else { self.workers.pop_front() }
    }

    /// Whether the runtime, with all its workers, and every extension have asked for their next event, and there is none.
    fn idle(&self, workers: usize) -> bool {
        let waiting = self.workers.iter().filter(|worker| !worker.is_closed()).count();
        (waiting >= workers || self.restore.is_some())
            && self.extensions.values().all(|extension| extension.waiting.is_some())
            && self.queue.is_empty()
            && self.running.is_empty()
    }

    /// Sends an event to the extensions that registered for such.
    fn notify(&mut self, kind: &str, event: &Value) {
        for extension in self.extensions.values_mut() {
            if extension.events.iter().any(|wanted| wanted == kind)
                && let Some(waiting) = extension.waiting.take()
            {
                let _ = waiting.send(event.clone());
            }
        }
    }
}
