//! The end of a process: by itself, at its deadline, or at the end of the sandbox.

use std::collections::VecDeque;
use std::process::ExitStatus;
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use serde_json::json;

use super::answer::Outcome;
use super::control::Control;
use super::event::epoch_ms;
use super::state::{Phase, State};

impl Control {
    /// Gives every invocation of the ended process its outcome. May be called twice.
    pub(super) fn exited(&self, status: ExitStatus) {
        let mut state = self.state();
        state.closed = true;
        state.workers.clear();
        let lost: Vec<_> = state
            .running
            .drain()
            .map(|(_, invocation)| invocation)
            .collect();
        let queue = std::mem::take(&mut state.queue);
        // A process that was never ready would not be ready the next time either. If it was ready,
        // the queue is dropped, and its invocations go to the next process.
        let failed = if state.phase == Phase::Ready {
            VecDeque::new()
        } else {
            queue
        };
        let outcome = state
            .init_error
            .clone()
            .map_or(Outcome::Crashed(status), Outcome::Failed);
        for invocation in lost.into_iter().chain(failed) {
            let _ = invocation.answer.send(outcome.clone());
        }
    }

    /// Kills the process if an invocation, or its work after the response, is past its deadline.
    pub(super) fn overdue(&self, id: &str) {
        let mut state = self.state();
        if let Some(invocation) = state.running.remove(id) {
            self.log.note("killed: the invocation timed out");
            self.kill(&mut state);
            let _ = invocation.answer.send(Outcome::TimedOut);
        } else if state.unsettled.as_deref() == Some(id) && self.settings.concurrency == 1 {
            self.log.note("killed: work after the response timed out");
            self.kill(&mut state);
        }
    }

    /// Kills the process if it is still initializing.
    pub(super) fn init_overdue(&self) {
        let mut state = self.state();
        if state.phase == Phase::Init && !state.closed {
            self.log.note("killed: the initialization timed out");
            self.kill(&mut state);
            for invocation in std::mem::take(&mut state.queue) {
                let _ = invocation.answer.send(Outcome::TimedOut);
            }
        }
    }

    /// Stops the delivery of events.
    pub(super) fn close(&self) {
        self.state().closed = true;
    }

    /// Stops the delivery of events and sends `SHUTDOWN` to the extensions that registered for it.
    ///
    /// Returns `true` if any extension is registered.
    pub(super) fn shut_down(&self) -> bool {
        let mut state = self.state();
        state.closed = true;
        self.resume(&mut state);
        let deadline = SystemTime::now() + Duration::from_millis(500);
        let event = json!({
            "eventType": "SHUTDOWN",
            "shutdownReason": "spindown",
            "deadlineMs": epoch_ms(deadline),
        });
        state.notify("SHUTDOWN", &event);
        !state.extensions.is_empty()
    }

    fn kill(&self, state: &mut State) {
        state.closed = true;
        self.process.signal(Signal::SIGKILL);
    }
}
