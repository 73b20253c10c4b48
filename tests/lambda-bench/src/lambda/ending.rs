//! How a process ends: by itself, at its deadline, or because the sandbox is to end.

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
    /// The process has ended. May be said twice.
    pub(super) fn exited(&self, status: ExitStatus) {
        let mut state = self.state();
        state.over = true;
        state.workers.clear();
        let lost: Vec<_> = state
            .running
            .drain()
            .map(|(_, invocation)| invocation)
            .collect();
        let queue = std::mem::take(&mut state.queue);
        // One that never was ready would not be ready the next time either.
        let hopeless = if state.phase == Phase::Ready {
            VecDeque::new()
        } else {
            queue
        };
        let outcome = state
            .init_error
            .clone()
            .map_or(Outcome::Crashed(status), Outcome::Failed);
        for invocation in lost.into_iter().chain(hopeless) {
            let _ = invocation.answer.send(outcome.clone());
        }
    }

    /// The time of an invocation is up: is it, or what it left to be done after the response, still
    /// running?
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

    /// Delivers no more events.
    pub(super) fn close(&self) {
        self.state().over = true;
    }

    /// Delivers no more events, and tells the extensions that asked for it. Says whether there are
    /// any extensions.
    pub(super) fn shut_down(&self) -> bool {
        let mut state = self.state();
        state.over = true;
        self.resume(&mut state);
        let deadline = SystemTime::now() + Duration::from_millis(500);
        let event = json!({ "eventType": "SHUTDOWN", "shutdownReason": "spindown", "deadlineMs": epoch_ms(deadline) });
        state.notify("SHUTDOWN", &event);
        !state.extensions.is_empty()
    }

    fn kill(&self, state: &mut State) {
        state.over = true;
        self.process.signal(Signal::SIGKILL);
    }
}
