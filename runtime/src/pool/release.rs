//! Releasing a connection: at once, or after it was quiesced or reset in the background.

use std::sync::Arc;
use std::task::{Context, Waker};

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use super::{CheckedOut, Idle, Pool, is_too_old, report_discarded};
use crate::clock::Timestamp;
use crate::connect::Connect;
use crate::invocation::background;
use crate::response::Outcome;
use crate::telemetry::{Count, events};

impl<C: Connect> CheckedOut<C> {
    /// Releases the connection without awaiting: idle at once if nothing is unfinished after a
    /// success, otherwise once background work is done.
    pub(crate) fn release(self, outcome: Outcome) {
        let sheds_load = self.pool.source.load_shedding.is_some();
        let pool = (sheds_load && outcome != Outcome::Failure).then(|| Arc::clone(&self.pool));
        let counters = self.counters;
        self.give_back(outcome);
        if let Some(pool) = pool {
            pool.poll_load_after_response(counters);
        }
    }

    fn give_back(mut self, outcome: Outcome) {
        if let Some(replacement) = self.replacement.take() {
            self.connection = replacement;
        }
        if Handle::try_current().is_err() {
            return self.discard("released outside a runtime");
        }
        if outcome != Outcome::Failure && !self.connection.needs_quiesce() {
            return self.make_idle(Timestamp::now());
        }
        let returning = Returning::new(&self.pool);
        if outcome == Outcome::Failure {
            return background::spawn(self.reset(returning));
        }
        // Usually nothing is left to do, and the first poll finishes.
        let mut work = Box::pin(self.quiesce(returning));
        if work
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
        {
            background::spawn(work);
        }
    }

    /// Drops the connection, which closes it without waiting.
    pub(crate) fn discard(self, reason: &str) {
        report_discarded(reason, self.counters);
    }

    /// Resets the session after a failed invocation.
    async fn reset(mut self, returning: Returning<C>) {
        self.counters.add(Count::Checked);
        let begun = Instant::now();
        let source = &self.pool.source;
        let reset = async {
            match C::DRIVER {
                Some(driver) => (driver.reset)(&mut self.connection, source).await,
                None => self.connection.check(source).await,
            }
        };
        match timeout(source.check_timeout, reset).await {
            Ok(Ok(())) => {
                events::checked(begun.elapsed(), None);
                self.make_idle(returning.since);
            }
            Ok(Err(error)) => self.discard(&error.to_string()),
            Err(_) => self.discard("no answer to the health check after a failure"),
        }
    }

    async fn quiesce(mut self, returning: Returning<C>) {
        let source = &self.pool.source;
        match timeout(source.check_timeout, self.connection.quiesce(source)).await {
            Ok(Ok(())) => self.make_idle(returning.since),
            Ok(Err(error)) => self.discard(&error.to_string()),
            Err(_) => self.discard("still unfinished after `check_timeout`"),
        }
    }

    pub(super) fn make_idle(self, since: Timestamp) {
        let Self {
            connection,
            opened,
            pool,
            permit,
            counters,
            ..
        } = self;
        let is_excess = {
            let mut state = pool.state();
            if state.has_ended {
                return;
            }
            state.idle.push(Idle {
                connection,
                opened,
                since,
            });
            state.idle.len() > state.keep || is_too_old(opened, &pool.source)
        };
        drop(permit);
        pool.returned.notify_waiters();
        if is_excess {
            background::spawn(pool.close_excess(counters));
        }
    }
}

/// Counts a connection as returning until dropped.
pub(super) struct Returning<C: Connect> {
    pool: Arc<Pool<C>>,
    /// The start of the connection's idle time. A freeze may follow before it is idle.
    pub(super) since: Timestamp,
}

impl<C: Connect> Returning<C> {
    pub(super) fn new(pool: &Arc<Pool<C>>) -> Self {
        pool.state().returning += 1;
        Self {
            pool: Arc::clone(pool),
            since: Timestamp::now(),
        }
    }
}

impl<C: Connect> Drop for Returning<C> {
    fn drop(&mut self) {
        self.pool.state().returning -= 1;
        self.pool.returned.notify_waiters();
    }
}
