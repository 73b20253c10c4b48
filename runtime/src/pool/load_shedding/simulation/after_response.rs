//! The work of a sandbox after a response, in the order of `shed_load`.

use std::time::Duration;

use super::super::policy::{Standing, Verdict};
use super::fleet::{Event, Fleet};

const LOAD_QUERY: Duration = Duration::from_millis(1);
const CLOSING: Duration = Duration::from_millis(1);

impl Fleet {
    pub(super) fn respond(&mut self, index: usize) {
        self.set_clocks();
        self.report.invocations += 1;
        self.report.served += 1;
        self.report.served_of[index] += 1;
        let gap = self.scenario.traffic.gap(&mut self.random);
        let sandbox = &mut self.sandboxes[index];
        sandbox.next = self.now + gap;
        let connection = sandbox.connection.as_ref();
        let standing = connection.map_or(Standing::Kept, |connection| connection.standing);
        let verdict = if sandbox.policy.concerns(standing) {
            sandbox.policy.decide(standing, 1, self.random.share())
        } else {
            Verdict::Keep
        };
        match verdict {
            Verdict::Keep => self.keep(index),
            Verdict::Close => self.close(index),
            Verdict::Ask => {
                let is_later = std::mem::replace(&mut sandbox.has_asked, true);
                let report = &mut self.report;
                let queries = if is_later {
                    &mut report.later_queries
                } else {
                    &mut report.first_queries
                };
                queries.count(self.now);
                self.schedule(LOAD_QUERY, index, Event::Answer);
            }
        }
    }

    pub(super) fn answer(&mut self, index: usize) {
        self.set_clocks();
        let sandbox = &mut self.sandboxes[index];
        let Some(connection) = &mut sandbox.connection else {
            return;
        };
        let load = self.server.load(connection.id);
        connection.set_idle_limit(load);
        let all = match connection.standing {
            Standing::Kept => (0, 1),
            Standing::New | Standing::FoundFull => (1, 0),
        };
        let age = self.now - connection.opened;
        let random = &mut self.random;
        let closes = sandbox.policy.answer(load, age, all, || random.share());
        if closes.new + closes.kept > 0 {
            self.close(index);
        } else {
            self.keep(index);
        }
    }

    fn keep(&mut self, index: usize) {
        let sandbox = &mut self.sandboxes[index];
        let next = sandbox.next.saturating_sub(self.now);
        if let Some(connection) = &mut sandbox.connection {
            connection.idle_since = Some(self.now);
            if std::mem::replace(&mut connection.standing, Standing::Kept) != Standing::Kept {
                let (id, limit) = (connection.id, connection.idle_limit);
                self.schedule(limit, index, Event::IdleLimit(id));
            }
        }
        self.schedule(next, index, Event::Invoke);
    }

    fn close(&mut self, index: usize) {
        let sandbox = &mut self.sandboxes[index];
        let next = sandbox.next.saturating_sub(self.now).max(CLOSING);
        if let Some(connection) = sandbox.connection.take() {
            self.schedule(CLOSING, index, Event::Closed(connection.id));
        }
        self.schedule(next, index, Event::Invoke);
    }
}
