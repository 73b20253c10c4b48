use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::answer::{FunctionError, Outcome};
use super::log::Log;
use super::process::Process;
use super::state::{Delivery, Extension, Invocation, Phase, State};

/// The settings of a sandbox that its processes share.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) init_timeout: Duration,
    pub(super) timeout: Duration,
    /// The part of the first invocation's time that an initialization within it has taken.
    pub(super) late_first: Duration,
    pub(super) concurrency: usize,
    pub(super) freezing: bool,
    pub(super) extensions: bool,
    /// The tenant that each event names.
    pub(super) tenant: Option<String>,
}

/// The control of one process: when to deliver an event, to freeze, to thaw and to kill.
///
/// `schedule` and `ending` implement the rest of it.
pub(super) struct Control {
    pub(super) process: Process,
    pub(super) log: Log,
    pub(super) settings: Settings,
    pub(super) freezes: Arc<AtomicUsize>,
    state: Mutex<State>,
}

impl Control {
    pub(super) fn new(
        process: Process,
        settings: Settings,
        freezes: Arc<AtomicUsize>,
        log: Log,
    ) -> Arc<Self> {
        Arc::new(Self {
            process,
            log,
            settings,
            freezes,
            state: Mutex::default(),
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no thread panics while it holds the state")
    }

    /// Queues an invocation, or drops it if the process is closed.
    pub(super) fn submit(self: &Arc<Self>, invocation: Invocation) {
        let mut state = self.state();
        if !state.closed {
            state.queue.push_back(invocation);
            self.advance(&mut state);
        }
    }

    /// Opens a worker's poll for its next event.
    pub(super) fn next_event(self: &Arc<Self>) -> oneshot::Receiver<Delivery> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        state.phase = Phase::Ready;
        state.first_poll.get_or_insert_with(SystemTime::now);
        state.workers.push_back(sender);
        self.advance(&mut state);
        receiver
    }

    /// Opens the runtime's poll for the restore of its snapshot.
    pub(super) fn next_restore(self: &Arc<Self>) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        state.phase = Phase::Restore;
        state.restore = Some(sender);
        self.advance(&mut state);
        receiver
    }

    /// Registers an extension for `events` and returns its identifier.
    pub(super) fn register(&self, name: &str, events: Vec<String>) -> String {
        let id = format!("extension-{name}");
        let extension = Extension { events, poll: None };
        self.state().extensions.insert(id.clone(), extension);
        id
    }

    /// Opens an extension's poll for its next event.
    pub(super) fn next_extension_event(
        self: &Arc<Self>,
        id: &str,
    ) -> Option<oneshot::Receiver<Value>> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        state.extensions.get_mut(id)?.poll = Some(sender);
        self.advance(&mut state);
        Some(receiver)
    }

    /// Returns the start of a running invocation, and the bytes after which its client disconnects.
    pub(super) fn running(&self, id: &str) -> Option<(Instant, Option<usize>)> {
        self.state()
            .running
            .get(id)
            .map(|invocation| (invocation.since, invocation.leaves_after))
    }

    /// Sends the outcome of an invocation to its client. Returns `false` if the id is unknown.
    ///
    /// The process stays busy until the worker asks for its next event.
    pub(super) fn finish(&self, id: &str, outcome: Outcome) -> bool {
        let invocation = self.state().running.remove(id);
        invocation.is_some_and(|invocation| invocation.answer.send(outcome).is_ok())
    }

    /// Records why the function failed to initialize or to restore. The function ends next.
    pub(super) fn init_failed(&self, error: FunctionError) {
        self.state().init_error = Some(error);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }

    pub(super) fn is_frozen(&self) -> bool {
        self.state().frozen
    }

    pub(super) fn is_idle(&self) -> bool {
        self.state().idle(self.settings.concurrency)
    }
}
