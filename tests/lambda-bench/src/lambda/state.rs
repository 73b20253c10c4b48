use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::SystemTime;

use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::answer::{FunctionError, Outcome};

/// An invocation that has no outcome yet.
///
/// An invocation that is dropped without an outcome was not delivered. The sandbox submits it to
/// another process.
pub(super) struct Invocation {
    pub(super) id: String,
    pub(super) payload: Value,
    pub(super) since: Instant,
    pub(super) leaves_after: Option<usize>,
    pub(super) answer: oneshot::Sender<Outcome>,
}

/// The response to a poll of `/next`.
pub(super) struct Delivery {
    pub(super) id: String,
    pub(super) payload: Value,
    pub(super) deadline: SystemTime,
}

/// The open polls of the function and its extensions, and the invocations under way.
#[derive(Default)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// The time of the first poll of `/next`.
    pub(super) first_poll: Option<SystemTime>,
    /// The open polls of `/next`.
    pub(super) workers: VecDeque<oneshot::Sender<Delivery>>,
    /// The open poll of `/restore/next`.
    pub(super) restore: Option<oneshot::Sender<()>>,
    pub(super) extensions: BTreeMap<String, Extension>,
    pub(super) queue: VecDeque<Invocation>,
    pub(super) running: HashMap<String, Invocation>,
    /// The id of the last invocation delivered, until the process is idle again.
    pub(super) unsettled: Option<String>,
    pub(super) frozen: bool,
    /// The process has received an event.
    pub(super) has_delivered: bool,
    pub(super) init_error: Option<FunctionError>,
    /// The process receives no more events.
    pub(super) closed: bool,
}

/// The phase of a process.
#[derive(Clone, Copy, Default, PartialEq)]
pub(super) enum Phase {
    #[default]
    Init,
    Restore,
    Ready,
}

pub(super) struct Extension {
    pub(super) events: Vec<String>,
    /// The open poll of `/extension/event/next`.
    pub(super) poll: Option<oneshot::Sender<Value>>,
}

impl State {
    /// Takes the poll of a worker if an invocation is queued.
    pub(super) fn free_worker(&mut self) -> Option<oneshot::Sender<Delivery>> {
        self.workers.retain(|worker| !worker.is_closed());
        if self.queue.is_empty() {
            None
        } else {
            self.workers.pop_front()
        }
    }

    /// Returns `true` if all workers and extensions wait for an event and no invocation is queued.
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
                .all(|extension| extension.poll.is_some())
            && self.queue.is_empty()
    }

    /// Sends an event to the extensions that registered for its kind.
    pub(super) fn notify(&mut self, kind: &str, event: &Value) {
        for extension in self.extensions.values_mut() {
            if extension.events.iter().any(|wanted| wanted == kind)
                && let Some(poll) = extension.poll.take()
            {
                let _ = poll.send(event.clone());
            }
        }
    }
}
