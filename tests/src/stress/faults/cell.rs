//! What came of a fault against a handle.

use std::collections::BTreeSet;
use std::time::Duration;

use lambda_bench::lambda::{Answer, Outcome};
use lambda_bench::servers::PASSWORD;

/// What the password is rotated to.
pub(super) const NEW_PASSWORD: &str = "r0tated";

/// Some rounds of a fault against one handle of one database.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub(super) database: &'static str,
    pub(super) fault: &'static str,
    pub(super) handle: &'static str,
    pub(super) rounds: usize,
    pub(super) invocations: usize,
    /// Invocations that the fault may have failed, and did.
    pub(super) hit: usize,
    /// Those that failed beyond that, or did not fail as they should have, and how.
    pub(super) wrong: Vec<String>,
    pub(super) worst: Duration,
    /// What that may be, if it is not only the function's time-out.
    bound: Option<Duration>,
    /// Sessions at the servers at the end, the kept one; SQLite has none.
    pub(super) sessions: Option<usize>,
    /// Sockets or files of the process at the end, that of the kept connection.
    pub(super) sockets: usize,
    /// Writes that were answered for and are not there, or are there twice.
    pub(super) writes: usize,
    written: BTreeSet<i64>,
    /// Whether a password was seen in the function's output or its errors.
    told_secret: bool,
}

/// What an invocation should come to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    /// It does its work.
    Success,
    /// It fails, saying this.
    Failure(&'static str),
    /// The same, unless it succeeds after all.
    FailureAtWorst(&'static str),
    /// No connection is to be had, and it does not try again.
    Rejection,
    /// A 503 that says when to come back.
    Refusal,
    /// The same, unless it succeeds after all.
    RefusalAtWorst,
}

impl Wanted {
    fn is_met(self, answer: &Answer) -> bool {
        match (self, &answer.outcome) {
            (
                Self::Success | Self::FailureAtWorst(_) | Self::RefusalAtWorst,
                Outcome::Http(http),
            ) if http.status == 200 => true,
            (Self::Refusal | Self::RefusalAtWorst, Outcome::Http(http)) => {
                http.status == 503 && http.headers.contains_key("retry-after")
            }
            (Self::Failure(says) | Self::FailureAtWorst(says), Outcome::Failed(error)) => {
                error.message.contains(says)
            }
            (Self::Rejection, Outcome::Failed(error)) => ["connection rejected", "(1 try in"]
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
            told_secret: false,
        }
    }

    /// Takes down an invocation that was to write `n`.
    pub(super) fn invoked(&mut self, answer: &Answer, wanted: Wanted, n: i64) {
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

    /// Whether there is the one connection that the last invocation has left, and no other.
    pub(super) fn keeps_one(&self) -> bool {
        self.sessions.is_none_or(|sessions| sessions == 1) && self.sockets == 1
    }

    /// Looks for a password in what the function wrote or answered.
    pub(super) fn look_for_secrets(&mut self, text: &str) {
        self.told_secret |= [PASSWORD, NEW_PASSWORD]
            .iter()
            .any(|secret| text.contains(secret));
    }

    /// Looks for what was answered for in `notes`, all that is at the servers.
    pub(super) fn compare(&mut self, notes: &[i64]) {
        let distinct: BTreeSet<i64> = notes.iter().copied().collect();
        let lost = self.written.difference(&distinct).count();
        self.writes = lost + notes.len() - distinct.len();
    }

    /// The promises that were broken.
    pub(super) fn broken(&self) -> Vec<String> {
        let mut broken = Vec::new();
        if let Some(first) = self.wrong.first() {
            broken.push(format!(
                "{} invocations went wrong, the first: {first}",
                self.wrong.len()
            ));
        }
        if let Some(bound) = self.bound.filter(|bound| self.worst > *bound) {
            broken.push(format!("{:?} is over {bound:?}", self.worst));
        }
        if !self.keeps_one() {
            let (sessions, sockets) = (self.sessions, self.sockets);
            broken.push(format!(
                "one is to be kept: {sessions:?} sessions, {sockets} sockets or files"
            ));
        }
        if self.writes > 0 {
            broken.push(format!("{} writes are lost or doubled", self.writes));
        }
        if self.told_secret {
            broken.push("a password was told".to_owned());
        }
        let place = format!("{}, {}, {}", self.database, self.fault, self.handle);
        broken
            .iter()
            .map(|broken| format!("{place}: {broken}"))
            .collect()
    }
}
