//! A fleet and its events, in the order of their times.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::random::Random;
use super::report::Report;
use super::sandbox::{Connection, Sandbox};
use super::scenario::Scenario;
use super::server::Server;
use super::waiting::Wait;
use crate::clock::{Timestamp, mock};

const CONNECTING: Duration = Duration::from_millis(5);
const REJECTION: Duration = Duration::from_millis(2);

/// The time-out of the function, 3 s, less the time that a response needs.
const PATIENCE: Duration = Duration::from_millis(2_750);

const LONG_WAIT: Duration = Duration::from_millis(300);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    Invoke,
    Attempt,
    Respond,
    Answer,
    Closed(usize),
    /// The idle limit of a session may be over.
    IdleLimit(usize),
    /// The others free their slot.
    Freed(usize),
}

pub(super) struct Fleet {
    pub(super) scenario: Scenario,
    pub(super) now: Duration,
    start: Timestamp,
    pub(super) random: Random,
    pub(super) server: Server,
    pub(super) sandboxes: Vec<Sandbox>,
    events: BinaryHeap<Reverse<(Duration, usize, usize, Event)>>,
    scheduled: usize,
    pub(super) report: Report,
}

impl Fleet {
    pub(super) fn new(scenario: Scenario) -> Self {
        let report = Report {
            served_of: vec![0; scenario.sandboxes],
            ..Report::default()
        };
        Self {
            scenario,
            now: Duration::ZERO,
            start: Timestamp::now(),
            random: Random::new(18),
            server: Server::new(scenario.slots),
            sandboxes: (0..scenario.sandboxes).map(|_| Sandbox::new()).collect(),
            events: BinaryHeap::new(),
            scheduled: 0,
            report,
        }
    }

    pub(super) fn run(mut self) -> Report {
        let traffic = self.scenario.traffic;
        for index in 0..self.sandboxes.len() {
            let first = self.random.part_of(traffic.start());
            self.schedule(first, index, Event::Invoke);
        }
        for _ in 0..self.scenario.held {
            let id = self.server.connect().expect("a free slot");
            self.schedule(traffic.duration() / 2, 0, Event::Freed(id));
        }
        while let Some(Reverse((at, _, index, event))) = self.events.pop() {
            if at >= traffic.duration() {
                break;
            }
            self.now = at;
            match event {
                Event::Invoke => self.invoke(index),
                Event::Attempt => self.attempt(index),
                Event::Respond => self.respond(index),
                Event::Answer => self.answer(index),
                Event::Closed(id) | Event::Freed(id) => self.server.close(id),
                Event::IdleLimit(id) => self.end_if_idle(index, id),
            }
        }
        self.report.open_at_end = self.server.connections();
        self.report
    }

    pub(super) fn schedule(&mut self, after: Duration, index: usize, event: Event) {
        self.scheduled += 1;
        let event = (self.now + after, self.scheduled, index, event);
        self.events.push(Reverse(event));
    }

    /// Moves the mocked clocks to the simulated time.
    pub(super) fn set_clocks(&self) {
        let ahead = self.now.saturating_sub(Timestamp::now().since(self.start));
        mock::advance_monotonic(ahead);
        mock::advance_wall(ahead);
    }

    fn invoke(&mut self, index: usize) {
        let place = index as f64 / self.sandboxes.len() as f64;
        let traffic = self.scenario.traffic;
        if !traffic.is_active(place, self.now) {
            let later = traffic.gap(&mut self.random);
            return self.schedule(later, index, Event::Invoke);
        }
        self.set_clocks();
        let sandbox = &mut self.sandboxes[index];
        sandbox.invoked = self.now;
        sandbox.wait = Wait::default();
        if let Some(connection) = &mut sandbox.connection {
            connection.idle_since = None;
            return self.schedule(traffic.statement(), index, Event::Respond);
        }
        let pause = self.random.part_of(sandbox.policy.first_pause());
        self.schedule(pause, index, Event::Attempt);
    }

    fn attempt(&mut self, index: usize) {
        let traffic = self.scenario.traffic;
        let sandbox = &mut self.sandboxes[index];
        if let Some(id) = self.server.connect() {
            let opened = self.now + CONNECTING;
            let found_full = sandbox.wait.has_failed();
            sandbox.connection = Some(Connection::new(id, opened, found_full));
            if std::mem::replace(&mut sandbox.has_opened, true) {
                self.report.reopened.count(self.now);
            }
            let waited = opened - sandbox.invoked;
            self.report.longest_wait = self.report.longest_wait.max(waited);
            self.report.waited += u64::from(waited > LONG_WAIT);
            return self.schedule(CONNECTING + traffic.statement(), index, Event::Respond);
        }
        self.report.rejected.count(self.now);
        let rejected = self.now + REJECTION;
        let left = (sandbox.invoked + PATIENCE).saturating_sub(rejected);
        if let Some(pause) = sandbox.wait.pause(left, &mut self.random) {
            return self.schedule(REJECTION + pause, index, Event::Attempt);
        }
        self.report.invocations += 1;
        let waited = rejected - sandbox.invoked;
        self.report.longest_wait = self.report.longest_wait.max(waited);
        let gap = traffic.gap(&mut self.random);
        self.schedule(REJECTION + gap, index, Event::Invoke);
    }

    /// Ends a session that was idle for too long. Its sandbox is frozen.
    fn end_if_idle(&mut self, index: usize, id: usize) {
        let connection = &mut self.sandboxes[index].connection;
        let Some(open) = connection.as_ref().filter(|open| open.id == id) else {
            return;
        };
        let end = open.end(self.now);
        if end > self.now {
            self.schedule(end - self.now, index, Event::IdleLimit(id));
        } else {
            *connection = None;
            self.server.close(id);
        }
    }
}
