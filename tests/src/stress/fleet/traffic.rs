//! The invocations of a fleet, as their clients see them.

use std::time::Duration;

use lambda_bench::lambda::{Answer, Event, Outcome, Sandbox};
use tokio::time::{Instant, sleep};

use super::counters::Counters;
use super::way::Way;
use crate::stress::random;

/// The invocations of each sandbox.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traffic {
    pub(super) way: Way,
    /// The time of the statement.
    pub(super) statement: Duration,
    /// The longest pause before an invocation, in which the sandbox is frozen.
    pub(super) gap: Duration,
    pub(super) end: End,
}

/// The end of the traffic.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// After a number of invocations of each sandbox.
    Invocations(usize),
    /// After a time. The last invocations begin before it.
    Time(Duration),
}

/// An invocation.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// The time from the begin of the traffic to the answer.
    pub(super) at: Duration,
    pub(super) took: Duration,
    pub(super) result: Result<Counters, Failure>,
}

/// The failures of an invocation.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// A 503 in time.
    Refused,
    /// A 504 at the handler's deadline.
    Late,
    /// Lambda's time-out, which kills the process.
    TimedOut,
    Other(String),
}

/// The invocations of one sandbox.
pub(super) struct Life {
    /// Kept frozen, with its connection, until all sandboxes have finished.
    pub(super) sandbox: Sandbox,
    pub(super) calls: Vec<Call>,
    /// The counters of the process after all invocations, its work after the last one included.
    pub(super) counters: Counters,
    /// The processes that were killed, before or after a response.
    pub(super) killed: usize,
}

impl Traffic {
    pub(super) fn event(&self) -> Event {
        let (path, ms) = (self.way.path(), self.statement.as_millis());
        Event::get(&format!("/{path}?ms={ms}"))
    }

    /// Returns the pause before the next invocation, or `None` after the last one.
    fn pause(&self, calls: usize, elapsed: Duration) -> Option<Duration> {
        let pause = self.gap.mul_f64(random());
        let goes_on = match self.end {
            End::Invocations(count) => calls < count,
            End::Time(end) => elapsed + pause < end,
        };
        goes_on.then_some(pause)
    }
}

impl Call {
    pub(super) fn of(answer: &Answer, at: Duration) -> Self {
        let result = match &answer.outcome {
            Outcome::Http(http) if http.status == 200 => Ok(Counters::of(answer)),
            Outcome::Http(http) if http.status == 503 => Err(Failure::Refused),
            Outcome::Http(http) if http.status == 504 => Err(Failure::Late),
            Outcome::TimedOut => Err(Failure::TimedOut),
            other => Err(Failure::Other(format!("{other:?}"))),
        };
        Self {
            at,
            took: answer.took,
            result,
        }
    }
}

impl Life {
    /// Invokes a sandbox until the end of the traffic.
    pub(super) async fn of(sandbox: Sandbox, traffic: Traffic, begun: Instant) -> Self {
        let mut calls = Vec::new();
        while let Some(pause) = traffic.pause(calls.len(), begun.elapsed()) {
            sleep(pause).await;
            let answer = sandbox.invoke(traffic.event()).await;
            calls.push(Call::of(&answer, begun.elapsed()));
        }
        Self {
            sandbox,
            calls,
            counters: Counters::default(),
            killed: 0,
        }
    }

    /// Waits until the process is frozen, or was killed.
    pub(super) async fn settle(&mut self) {
        let is_alive = || !matches!(self.sandbox.process_state(), None | Some('Z'));
        while is_alive() && !self.sandbox.is_frozen() {
            sleep(Duration::from_millis(1)).await;
        }
        self.killed = self.sandbox.starts() - usize::from(is_alive());
    }

    pub(super) fn served(&self) -> impl Iterator<Item = (&Call, &Counters)> {
        self.calls
            .iter()
            .filter_map(|call| Some((call, call.result.as_ref().ok()?)))
    }

    /// Returns the number of connections opened, also by processes that were replaced.
    pub(super) fn opened(&self) -> u64 {
        let (mut ended, mut last) = (0, 0);
        let counters = self.served().map(|(_, counters)| counters);
        for opened in counters.chain([&self.counters]).map(|it| it.opened) {
            if opened < last {
                ended += last;
            }
            last = opened;
        }
        ended + last
    }

    /// Returns the times of the load queries. Each one follows the response before it.
    pub(super) fn load_queries(&self) -> Vec<Duration> {
        let mut times = Vec::new();
        let (mut before, mut asked) = (Duration::ZERO, 0);
        let last = (Duration::ZERO, &self.counters);
        for (at, counters) in self
            .served()
            .map(|(call, counters)| (call.at, counters))
            .chain([last])
        {
            let new = counters.load_queries.saturating_sub(asked);
            times.extend((0..new).map(|_| before));
            (before, asked) = (at, counters.load_queries);
        }
        times
    }
}
