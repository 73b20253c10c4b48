//! The figures of a fleet after its traffic.

use std::time::Duration;

use super::counters::Counters;
use super::stage::Fleet;
use super::traffic::{Failure, Life};

/// The figures of a fleet.
#[derive(Debug)]
pub(super) struct Figures {
    pub(super) calls: usize,
    pub(super) served: usize,
    /// 503s in time.
    pub(super) refused: usize,
    /// Invocations that the handler's deadline ended, or Lambda's time-out, before or after their
    /// response.
    pub(super) timed_out: usize,
    /// Answers that are neither 200 nor 503.
    pub(super) failures: Vec<String>,
    /// The times of the invocations that were served, in ascending order.
    times: Vec<Duration>,
    /// The longest invocation, served or not.
    pub(super) longest: Duration,
    /// The sandboxes that were never served.
    pub(super) never: usize,
    /// The time until each other sandbox had been served once.
    pub(super) first: Duration,
    pub(super) opened: u64,
    pub(super) counters: Counters,
    /// The load queries of the busiest second, and its begin.
    busiest: (usize, Duration),
    /// The load queries of the busiest ten seconds.
    pub(super) in_ten_seconds: usize,
    pub(super) kept: usize,
    pub(super) most: [usize; 2],
}

impl Figures {
    pub(super) fn of(fleet: &Fleet) -> Self {
        let calls: Vec<_> = fleet.lives.iter().flat_map(|life| &life.calls).collect();
        let mut times: Vec<_> = fleet
            .lives
            .iter()
            .flat_map(|life| life.served().map(|(call, _)| call.took))
            .collect();
        times.sort();
        let first = |life: &Life| Some(life.served().next()?.0.at);
        let firsts: Vec<_> = fleet.lives.iter().filter_map(first).collect();
        let (mut refused, mut late, mut failures) = (0, 0, Vec::new());
        for call in &calls {
            match &call.result {
                Ok(_) | Err(Failure::TimedOut) => {}
                Err(Failure::Refused) => refused += 1,
                Err(Failure::Late) => late += 1,
                Err(Failure::Other(text)) => failures.push(text.clone()),
            }
        }
        let mut load_queries: Vec<_> = fleet.lives.iter().flat_map(Life::load_queries).collect();
        load_queries.sort();
        let mut counters = Counters::default();
        for life in &fleet.lives {
            counters += life.counters;
        }
        Self {
            calls: calls.len(),
            served: times.len(),
            refused,
            timed_out: fleet.lives.iter().map(|life| life.killed).sum::<usize>() + late,
            failures,
            longest: calls.iter().map(|call| call.took).max().unwrap_or_default(),
            never: fleet.lives.len() - firsts.len(),
            first: firsts.into_iter().max().unwrap_or_default(),
            opened: fleet.lives.iter().map(Life::opened).sum(),
            counters,
            busiest: busiest(&load_queries, Duration::from_secs(1)),
            in_ten_seconds: busiest(&load_queries, Duration::from_secs(10)).0,
            kept: fleet.kept,
            most: fleet.most,
            times,
        }
    }

    /// Returns the load queries: all of them, and those of the busiest second.
    pub(super) fn load_queries(&self) -> String {
        let (count, begin) = self.busiest;
        let all = self.counters.load_queries;
        format!("{all}, {count} after {:.1} s", begin.as_secs_f64())
    }

    /// Returns the share of the invocations that were served.
    pub(super) fn share(&self) -> f64 {
        self.served as f64 / self.calls.max(1) as f64
    }

    /// Returns the time within which a share of the served invocations had its answer.
    pub(super) fn within(&self, share: f64) -> Duration {
        let nth = (share * self.times.len() as f64).ceil() as usize;
        self.times
            .get(nth.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }
}

/// Returns the most events within a length of time, and the first one's time.
fn busiest(times: &[Duration], length: Duration) -> (usize, Duration) {
    let from = |(nth, begin): (usize, &Duration)| {
        let end = *begin + length;
        (times[nth..].partition_point(|time| *time < end), *begin)
    };
    let seconds = times.iter().enumerate().map(from);
    seconds.max_by_key(|(count, _)| *count).unwrap_or_default()
}
