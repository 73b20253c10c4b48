//! Keeping connections only while the server has room for them.
//!
//! The work follows the response. Until then a connection may be leased again.

mod policy;
mod shared;
#[cfg(test)]
mod simulation;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

pub(super) use self::policy::{Policy, Standing};
use self::policy::{ToClose, Verdict};
pub(super) use self::shared::{Shedding, tend};
use super::release::Returning;
use super::{CheckedOut, Pool, State, report_discarded};
use crate::clock::Timestamp;
use crate::connect::Connect;
use crate::environment;
use crate::error::Error;
use crate::invocation::{self, background, deadline};
use crate::random;
use crate::source::ServerLoad;
use crate::telemetry::{Count, Counters, events};

/// The shortest idle limit that a load query sets.
const LEAST_IDLE: Duration = Duration::from_secs(30);

impl<C: Connect> Pool<C> {
    /// Closes connections after the response if the server has no room for them, if a release of
    /// this standing can lead to that.
    pub(super) fn shed_load_after_response(
        self: &Arc<Self>,
        standing: Standing,
        counters: &'static Counters,
    ) {
        // A user's client cannot ask.
        let may_ask = C::DRIVER.is_some() || standing == Standing::FoundFull;
        if !may_ask || !self.state().policy.concerns(standing) {
            return;
        }
        let unasked = Unasked {
            pool: Arc::clone(self),
            counters,
            is_done: false,
        };
        let response = invocation::responded();
        background::spawn(async move {
            response.await;
            Arc::clone(&unasked.pool).shed_load(counters).await;
            unasked.finish();
        });
    }

    /// Closes idle connections if the server has no room for them.
    pub(super) async fn shed_load(self: Arc<Self>, counters: &'static Counters) {
        // Each step of those ahead has a limit.
        let _turn = self.turn.lock().await;
        // The released connection may be returning.
        let end = deadline::after(self.source.check_timeout);
        self.some_idle(end).await;
        if self.idle_of(Standing::FoundFull) > 0 {
            self.state().policy.decide(Standing::FoundFull, 1, 0.0);
            self.shed(Standing::FoundFull, usize::MAX, counters).await;
        }
        let (standing, connections) = match self.idle_of(Standing::New) {
            0 => (Standing::Kept, self.idle_of(Standing::Kept)),
            new => (Standing::New, new),
        };
        if connections == 0 {
            return;
        }
        let random = random::unit();
        let verdict = self.state().policy.decide(standing, connections, random);
        match verdict {
            Verdict::Keep => self.keep_new(),
            Verdict::Close => self.shed(standing, usize::MAX, counters).await,
            Verdict::Ask => {
                let closes = Arc::clone(&self).ask(standing, counters).await;
                self.shed(Standing::New, closes.new, counters).await;
                self.keep_new();
                self.shed(Standing::Kept, closes.kept, counters).await;
            }
        }
    }

    /// Asks for the server's load on an idle connection. Returns the connections to close.
    // Cancellation safety: the `CheckedOut` owns the connection.
    async fn ask(self: Arc<Self>, standing: Standing, counters: &'static Counters) -> ToClose {
        let Some(driver) = C::DRIVER else {
            self.state().policy.rejected(standing);
            return ToClose::NONE;
        };
        let Some((idle, permit)) = self.take_newest(standing) else {
            return ToClose::NONE;
        };
        let since = idle.since;
        let returning = Returning::new(&self);
        let mut asking = CheckedOut::reused(idle, &self, permit, counters);
        let age = Timestamp::now().since(asking.opened);
        let question = (driver.server_load)(&mut asking.connection, &self.source, least_idle());
        let load = answer(self.source.check_timeout, question, counters).await;
        let load = match load {
            Ok(load) => load,
            Err(reason) => {
                self.state().policy.silent();
                asking.discard(&reason);
                return ToClose::NONE;
            }
        };
        asking.make_idle(since);
        drop(returning);
        let mut state = self.state();
        let Some(load) = load else {
            state.policy.rejected(standing);
            return ToClose::NONE;
        };
        let new = state.idle_of(Standing::New);
        let all = (new, state.idle.len() - new);
        state.policy.answer(load, age, all, random::unit)
    }

    /// Closes up to `most` idle connections of one standing.
    async fn shed(&self, standing: Standing, most: usize, counters: &'static Counters) {
        let closing = self.take_idle(most, |state| {
            state.idle.iter().position(|idle| idle.standing == standing)
        });
        report_shed(closing.len(), counters);
        self.close_all(closing, counters).await;
    }

    fn idle_of(&self, standing: Standing) -> usize {
        self.state().idle_of(standing)
    }

    fn keep_new(&self) {
        let mut state = self.state();
        let new = state.idle.iter_mut();
        new.filter(|idle| idle.standing == Standing::New)
            .for_each(|idle| idle.standing = Standing::Kept);
    }
}

impl<C> State<C> {
    /// Returns the number of idle connections of one standing.
    fn idle_of(&self, standing: Standing) -> usize {
        let idle = self.idle.iter();
        idle.filter(|idle| idle.standing == standing).count()
    }
}

/// Logs and counts connections that are closed because the server has no room for them.
pub(super) fn report_shed(connections: usize, counters: &Counters) {
    if connections > 0 {
        events::load_shed(connections);
        counters.add_many(Count::Shed, connections as u64);
    }
}

/// The newly opened connections that are idle. If no time was left to ask for the server's load,
/// they are dropped, because they must not be frozen.
struct Unasked<C: Connect> {
    pool: Arc<Pool<C>>,
    counters: &'static Counters,
    is_done: bool,
}

impl<C: Connect> Unasked<C> {
    fn finish(mut self) {
        self.is_done = true;
    }
}

impl<C: Connect> Drop for Unasked<C> {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        self.pool.state().policy.silent();
        let dropped = self.pool.take_idle(usize::MAX, |state| {
            let mut idle = state.idle.iter();
            idle.position(|idle| idle.standing != Standing::Kept)
        });
        for _ in &dropped {
            report_discarded(
                "no time was left to ask for the server's load",
                self.counters,
            );
        }
    }
}

/// Returns the answer to a load query, or the reason for dropping the connection.
pub(super) async fn answer(
    limit: Duration,
    question: impl Future<Output = Result<Option<ServerLoad>, Error>>,
    counters: &Counters,
) -> Result<Option<ServerLoad>, String> {
    counters.add(Count::LoadQueries);
    let begun = Instant::now();
    match deadline::timeout_by_both_clocks(limit, question).await {
        Some(Ok(Some(load))) => {
            events::load(load.connections, load.limit, begun.elapsed());
            Ok(Some(load))
        }
        Some(Ok(None)) => Ok(None),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("no answer to the load query".to_owned()),
    }
}

/// Returns the idle limit that a load query sets where there is little room.
///
/// A handler may pause between two statements for as long as its function may run. The server must
/// not end its session meanwhile. Lambda enforces no time-out where it runs several invocations at
/// once.
pub(super) fn least_idle() -> Duration {
    match invocation::time_out() {
        Some(time_out) if environment::concurrency() == 1 => time_out.max(LEAST_IDLE),
        _ => Duration::MAX,
    }
}
