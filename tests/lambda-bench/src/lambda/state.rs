use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::SystemTime;

use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::answer::{FunctionError, Outcome};

/// An invocation on its way. Dropped without an answer it was not delivered, and another process
/// may have it.
pub(super) struct Invocation {
    pub(super) id: String,
    pub(super) payload: Value,
    pub(super) since: Instant,
    pub(super) leaves_after: Option<usize>,
    pub(super) answer: oneshot::Sender<Outcome>,
}

/// What `/next` brings.
pub(super) struct Delivery {
    pub(super) id: String,
    pub(super) payload: Value,
    pub(super) deadline: SystemTime,
}

/// Who has asked for what, and what is under way.
#[derive(Default)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// Every poll of `/next` that has no event yet.
    pub(super) workers: VecDeque<oneshot::Sender<Delivery>>,
    /// The poll of `/restore/next`.
    pub(super) restore: Option<oneshot::Sender<()>>,
    pub(super) extensions: BTreeMap<String, Extension>,
    pub(super) queue: VecDeque<Invocation>,
    pub(super) running: HashMap<String, Invocation>,
    /// The last invocation delivered, until all have asked for the next event.
    pub(super) unsettled: Option<String>,
    pub(super) frozen: bool,
    pub(super) init_error: Option<FunctionError>,
    pub(super) over: bool,
}

/// How far a process has come.
#[derive(Clone, Copy, Default, PartialEq)]
pub(super) enum Phase {
    #[default]
    Init,
    Restore,
    Ready,
}

pub(super) struct Extension {
    pub(super) events: Vec<String>,
    /// Its poll of `/extension/event/next`.
    pub(super) waiting: Option<oneshot::Sender<Value>>,
}

impl State {
    /// A worker that waits for an event, if one is wanted.
    pub(super) fn free_worker(&mut self) -> Option<oneshot::Sender<Delivery>> {
        self.workers.retain(|worker| !worker.is_closed());
        if self.queue.is_empty() {
            None
        } else {
            self.workers.pop_front()
        }
    }

    /// Whether the runtime, with all its workers, and every extension have asked for their next
    /// event, and there is none.
    pub(super) fn idle(&self, workers: usize) -> bool {
        let waiting = self
            .workers
            .iter()
            .filter(|worker| !worker.is_closed())
            .count();
        (waiting >= workers || self.restore.is_some())
            && self
                .extensions
                .values()
                .all(|extension| extension.waiting.is_some())
            && self.queue.is_empty()
    }

    /// Sends an event to the extensions that registered for such.
    pub(super) fn notify(&mut self, kind: &str, event: &Value) {
        for extension in self.extensions.values_mut() {
            if extension.events.iter().any(|wanted| wanted == kind)
                && let Some(waiting) = extension.waiting.take()
            {
                let _ = waiting.send(event.clone());
            }
        }
    }
}
