//! The figures of a fault against a handle.

use std::collections::BTreeSet;
use std::time::Duration;

use lambda_bench::lambda::{Answer, Outcome};
use lambda_bench::servers::PASSWORD;

/// The password after a rotation.
pub(super) const NEW_PASSWORD: &str = "r0tated";

/// The rounds of a fault against one handle of one database.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) database: &'static str,
    pub(super) fault: &'static str,
    pub(super) handle: &'static str,
    pub(super) rounds: usize,
    pub(super) invocations: usize,
    /// The invocations that failed as the fault demands.
    pub(super) hit: usize,
    /// The invocations with another outcome than wanted, as text.
    pub(super) wrong: Vec<String>,
    pub(super) worst: Duration,
    /// The limit of `worst` in a long run.
    bound: Option<Duration>,
    /// The sessions at the end, one of them kept. SQLite has no sessions.
    pub(super) sessions: Option<usize>,
    /// The sockets or files of the process at the end, one of them kept.
    pub(super) sockets: usize,
    /// The confirmed writes that are lost or doubled.
    pub(super) writes: usize,
    written: BTreeSet<i64>,
    /// The function's output or an error contains a password.
    leaked_password: bool,
}

/// The wanted outcome of an invocation.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    /// The write succeeds.
    Success,
    /// The invocation fails with an error that contains this text.
    Failure(&'static str),
    /// The invocation succeeds, or fails as with `Failure`.
    FailureAtWorst(&'static str),
    /// The server rejects the connection, which is not retried.
    Rejection,
    /// A 503 with `Retry-After`.
    Unavailable,
    /// The invocation succeeds, or is answered as with `Unavailable`.
    UnavailableAtWorst,
}

impl Wanted {
    fn is_met(self, answer: &Answer) -> bool {
        match (self, &answer.outcome) {
            (
                Self::Success | Self::FailureAtWorst(_) | Self::UnavailableAtWorst,
                Outcome::Http(http),
            ) if http.status == 200 => true,
            (Self::Unavailable | Self::UnavailableAtWorst, Outcome::Http(http)) => {
                http.status == 503 && http.headers.contains_key("retry-after")
            }
            (Self::Failure(text) | Self::FailureAtWorst(text), Outcome::Failed(error)) => {
                error.message.contains(text)
            }
            (Self::Rejection, Outcome::Failed(error)) => ["connection rejected", "(1 attempt in"]
                .iter()
                .all(|words| error.message.contains(words)),
            _ => false,
        }
    }
}

impl Cell {
    pub(super) fn new(
        database: &'static str,
        fault: &'static str,
        handle: &'static str,
        bound: Option<Duration>,
    ) -> Self {
        Self {
            database,
            fault,
            handle,
            rounds: 0,
            invocations: 0,
            hit: 0,
            wrong: Vec::new(),
            worst: Duration::ZERO,
            bound,
            sessions: None,
            sockets: 0,
            writes: 0,
            written: BTreeSet::new(),
            leaked_password: false,
        }
    }

    /// Records an invocation that was to write `n`.
    pub(super) fn record(&mut self, answer: &Answer, wanted: Wanted, n: i64) {
        self.invocations += 1;
        self.worst = self.worst.max(answer.took);
        let succeeded = matches!(&answer.outcome, Outcome::Http(http) if http.status == 200);
        if succeeded {
            self.written.insert(n);
        }
        self.look_for_secrets(&format!("{:?}", answer.outcome));
        if !wanted.is_met(answer) {
            let outcome = &answer.outcome;
            let wrong = format!(
                "invocation {}, wanted {wanted:?}: {} in {:?}: {outcome:?}",
                self.invocations, answer.event, answer.took
            );
            self.wrong.push(wrong);
        } else if !succeeded {
            self.hit += 1;
        }
    }

    /// Returns `true` if the last invocation's connection is the only one left.
    pub(super) fn keeps_one(&self) -> bool {
        self.sessions.is_none_or(|sessions| sessions == 1) && self.sockets == 1
    }

    /// Looks for a password in the function's output or answer.
    pub(super) fn look_for_secrets(&mut self, text: &str) {
        self.leaked_password |= [PASSWORD, NEW_PASSWORD]
            .iter()
            .any(|secret| text.contains(secret));
    }

    /// Compares the confirmed writes with `notes`, all rows of the servers.
    pub(super) fn compare(&mut self, notes: &[i64]) {
        let distinct: BTreeSet<i64> = notes.iter().copied().collect();
        let lost = self.written.difference(&distinct).count();
        self.writes = lost + notes.len() - distinct.len();
    }

    /// Returns the broken promises.
    pub(super) fn broken(&self) -> Vec<String> {
        let mut broken = Vec::new();
        if let Some(first) = self.wrong.first() {
            broken.push(format!(
                "{} invocations have an unwanted outcome, the first: {first}",
                self.wrong.len()
            ));
        }
        if let Some(bound) = self.bound.filter(|bound| self.worst > *bound) {
            broken.push(format!(
                "the worst latency {:?} is over {bound:?}",
                self.worst
            ));
        }
        if !self.keeps_one() {
            let (sessions, sockets) = (self.sessions, self.sockets);
            broken.push(format!(
                "{sessions:?} sessions and {sockets} sockets or files are left instead of one"
            ));
        }
        if self.writes > 0 {
            broken.push(format!("{} writes are lost or doubled", self.writes));
        }
        if self.leaked_password {
            broken.push("a password was leaked".to_owned());
        }
        let place = format!("{}, {}, {}", self.database, self.fault, self.handle);
        broken
            .iter()
            .map(|broken| format!("{place}: {broken}"))
            .collect()
    }
}
