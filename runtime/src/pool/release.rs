//! A connection in somebody's hands, and its way back.

use std::sync::Arc;
use std::task::{Context, Waker};

use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use super::{Depot, Idle, discarded, is_too_old};
use crate::clock::Moment;
use crate::stats::{Count, Counters};
use crate::{Connect, Outcome, owed};

/// A connection in somebody's hands, with the permit to have it.
pub(crate) struct Held<C> {
    pub(crate) connection: C,
    /// What was opened in its place, when it turned out to be dead.
    pub(super) instead: Option<C>,
    /// It was not opened for this lease.
    pub(super) was_idle: bool,
    pub(super) opened: Moment,
    pub(super) depot: Arc<Depot<C>>,
    pub(super) permit: OwnedSemaphorePermit,
    pub(super) counters: &'static Counters,
}

impl<C: Connect> Held<C> {
    /// Parks the connection: at once if nothing is unfinished after a success, else when what is
    /// owed to it has been done, in the background. Never awaits.
    pub(crate) fn settle(self, outcome: Outcome) {
        let is_guarded = outcome != Outcome::Failure && self.depot.source.guard.is_some();
        let guarded = is_guarded.then(|| (Arc::clone(&self.depot), self.counters));
        self.give_back(outcome);
        if let Some((depot, counters)) = guarded {
            depot.ask_after_response(counters);
        }
    }

    fn give_back(mut self, outcome: Outcome) {
        if let Some(connection) = self.instead.take() {
            self.connection = connection;
        }
        if Handle::try_current().is_err() {
            return self.discard("settled outside a runtime");
        }
        if outcome != Outcome::Failure && !self.connection.unfinished() {
            return self.park(Moment::now());
        }
        let owed = Owed::new(&self.depot);
        if outcome == Outcome::Failure {
            return owed::spawn(self.park_when_checked(owed));
        }
        // Mostly there is nothing to do after all, which the first poll tells.
        let mut work = Box::pin(self.park_when_at_rest(owed));
        if work
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
        {
            owed::spawn(work);
        }
    }

    /// Drops the connection, which closes it without waiting for anybody.
    pub(crate) fn discard(self, reason: &str) {
        discarded(reason, self.counters);
    }

    async fn park_when_checked(mut self, owed: Owed<C>) {
        self.counters.add(Count::Checked);
        let begun = Instant::now();
        let source = &self.depot.source;
        match timeout(source.check_timeout, self.connection.reset(source)).await {
            Ok(Ok(())) => {
                tracing::debug!(target: "reuse_db", took = ?begun.elapsed(), "checked");
                self.park(owed.since);
            }
            Ok(Err(error)) => self.discard(&error.to_string()),
            Err(_) => self.discard("no answer to the check after a failure"),
        }
    }

    async fn park_when_at_rest(mut self, owed: Owed<C>) {
        match timeout(self.depot.source.check_timeout, self.connection.rest()).await {
            Ok(Ok(())) => self.park(owed.since),
            Ok(Err(error)) => self.discard(&error.to_string()),
            Err(_) => self.discard("not at rest in time"),
        }
    }

    pub(super) fn park(self, since: Moment) {
        let Self {
            connection,
            opened,
            depot,
            permit,
            counters,
            ..
        } = self;
        let is_excess = {
            let mut state = depot.state();
            if state.ended {
                return;
            }
            state.idle.push(Idle {
                connection,
                opened,
                since,
            });
            state.idle.len() > state.keep || is_too_old(opened, &depot.source)
        };
        drop(permit);
        depot.returned.notify_waiters();
        if is_excess {
            owed::spawn(depot.trim(counters));
        }
    }
}

/// Counts a connection as owed something, until dropped.
pub(super) struct Owed<C: Connect> {
    depot: Arc<Depot<C>>,
    /// The connection's age counts from here: a freeze may come before it is parked.
    pub(super) since: Moment,
}

impl<C: Connect> Owed<C> {
    pub(super) fn new(depot: &Arc<Depot<C>>) -> Self {
        depot.state().owed += 1;
        Self {
            depot: Arc::clone(depot),
            since: Moment::now(),
        }
    }
}

impl<C: Connect> Drop for Owed<C> {
    fn drop(&mut self) {
        self.depot.state().owed -= 1;
        self.depot.returned.notify_waiters();
    }
}
