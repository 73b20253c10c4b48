//! The delivery of events, and the freeze when there is none.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use nix::sys::signal::Signal;
use serde_json::json;
use tokio::sync::oneshot;

use super::control::Control;
use super::event::epoch_ms;
use super::state::{Delivery, Invocation, State};

impl Control {
    /// Delivers, restores or freezes, whatever the changed state allows.
    pub(super) fn advance(self: &Arc<Self>, state: &mut State) {
        if state.closed {
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
        if state.idle(self.settings.concurrency) {
            state.unsettled = None;
            if self.settings.freezing {
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
        let mut timeout = self.settings.timeout;
        if !std::mem::replace(&mut state.has_delivered, true) {
            timeout -= self.settings.late_first;
        }
        let deadline = SystemTime::now() + timeout;
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
        let control = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(timeout).await;
            if let Some(control) = control.upgrade() {
                control.overdue(&id);
            }
        });
    }

    pub(super) fn freeze(&self) {
        self.stop(&mut self.state());
    }

    pub(super) fn thaw(&self) {
        self.resume(&mut self.state());
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
