//! Releasing a connection: at once, or after it was quiesced or reset in the background.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, timeout};

use super::close::close;
use super::failures::Failures;
use super::{CheckedOut, Idle, Pool, Standing, is_too_old, report_discarded};
use crate::clock::Timestamp;
use crate::connect::{Connect, Cure, Reset, catch_panic, retry};
use crate::error::Error;
use crate::invocation::leases_out::LeaseOut;
use crate::invocation::{background, deadline, responded};
use crate::response::Outcome;
use crate::telemetry::{Count, events};

/// The time from the end of a handler to its response, mostly.
const TIME_TO_RESPOND: Duration = Duration::from_millis(5);

/// The time for an answer that is on its way when a connection is dropped.
const NEARLY_DONE: Duration = Duration::from_millis(5);

impl<C: Connect> CheckedOut<C> {
    /// Releases the connection without awaiting: idle at once if nothing is unfinished after a
    /// success, otherwise once background work is done.
    pub(crate) fn release(mut self, outcome: Outcome) {
        // The lease ends last: the freeze waits for it, and then for the background work.
        let out = self.out.take();
        let (pool, counters) = (Arc::clone(&self.pool), self.counters);
        let standing = self.standing;
        pool.state().hold_time.record(self.since.elapsed());
        self.give_back(outcome, out.as_ref());
        pool.shed_load_after_response(standing, counters);
    }

    /// Releases a connection that its lease has not used.
    pub(crate) fn release_unused(mut self) {
        let out = self.out.take();
        if Handle::try_current().is_err() {
            return self.discard("released outside a runtime");
        }
        if out.as_ref().is_some_and(LeaseOut::is_overdue) {
            return self.discard("it was leased while the sandbox was frozen");
        }
        let (pool, counters) = (Arc::clone(&self.pool), self.counters);
        let standing = self.standing;
        // Nobody has asked the connection meanwhile.
        let since = self.idle_since.unwrap_or_else(Timestamp::now);
        self.make_idle(since);
        pool.shed_load_after_response(standing, counters);
    }

    fn give_back(mut self, outcome: Outcome, out: Option<&LeaseOut>) {
        if out.is_some_and(LeaseOut::is_overdue) {
            return self.discard("it was leased while the sandbox was frozen");
        }
        if let Some(replacement) = self.replacement.take() {
            self.connection = replacement;
        }
        if Handle::try_current().is_err() {
            return self.discard("released outside a runtime");
        }
        let outcome = match C::DRIVER {
            Some(driver) => (driver.outcome)(&self.connection, outcome),
            None => outcome,
        };
        let cure = match self
            .failures
            .count(outcome, C::DRIVER.as_ref(), &self.pool.source)
        {
            Some((Cure::Replace, reason)) => {
                let patience = self.step_limit();
                return self.abandon_after(patience, reason);
            }
            cure => cure.map(|(cure, _)| cure),
        };
        let cure = cure.or(self.pool.source.reset_session.then_some(Cure::Reset));
        let inspects = cure.is_none() && self.pool.takes_inspection(self.counters);
        if cure.is_none() && !inspects && !self.connection.needs_quiesce() {
            return self.make_idle(Timestamp::now());
        }
        let returning = Returning::new(&self.pool);
        if let Some(cure) = cure {
            return background::spawn(self.reset(cure, returning));
        }
        // Usually nothing is left to do, and the first poll finishes.
        let mut work = Box::pin(self.quiesce(returning, inspects));
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

    /// Drops the connection, perhaps in the middle of a statement. If the statement still runs,
    /// and the server would not notice that nobody waits for it, ends its session.
    pub(crate) fn abandon(self, reason: &str) {
        self.abandon_after(NEARLY_DONE, reason);
    }

    /// Drops the connection as [`abandon`](Self::abandon) does, once an answer had time to come.
    fn abandon_after(mut self, patience: Duration, reason: &str) {
        let _out = self.out.take();
        if let Some(replacement) = self.replacement.take() {
            self.connection = replacement;
        }
        let source = self.pool.source;
        let (Some(driver), Some(session)) = (C::DRIVER, self.link.session) else {
            return self.discard(reason);
        };
        report_discarded(reason, self.counters);
        background::spawn(async move {
            // A driver may panic on what a statement that was cut off has left behind.
            let quiesce = catch_panic(self.connection.quiesce(&source));
            let quiesced = timeout(patience, quiesce).await;
            // The session's end needs a connection, which takes the place of this one.
            let _permit = self.into_permit();
            // After an error of the network, the server may still run it.
            if matches!(quiesced, Ok(Ok(()))) {
                return;
            }
            let end = (driver.end_session)(&source, session);
            if !matches!(timeout(source.check_timeout, end).await, Ok(Ok(()))) {
                events::discarded("its session could not be ended");
            }
        });
    }

    /// Drops the connection, and returns its permit.
    fn into_permit(self) -> OwnedSemaphorePermit {
        self.permit
    }

    /// Returns the limit of a step after the response. If the session must be ended after it, half
    /// of the time is left for that: five round trips.
    fn step_limit(&self) -> Duration {
        let limit = self.pool.source.check_timeout;
        if self.link.session.is_some() {
            limit / 2
        } else {
            limit
        }
    }

    /// Resets the session, after a failed invocation or for
    /// [`reset_session`](crate::Source::reset_session).
    async fn reset(mut self, cure: Cure, returning: Returning<C>) {
        self.counters.add(Count::Checked);
        let begun = Instant::now();
        let limit = self.step_limit();
        let source = &self.pool.source;
        let reset = async {
            let Some(driver) = C::DRIVER else {
                self.connection.check(source).await?;
                return Ok::<_, Error>(Reset::Partial);
            };
            let reset = (driver.reset)(&mut self.connection, source).await?;
            if cure == Cure::Clear {
                (driver.clear)(&mut self.connection).await?;
            }
            Ok(reset)
        };
        match timeout(limit, reset).await {
            Ok(Ok(reset)) => {
                self.link.answered(begun);
                events::checked(begun.elapsed(), None);
                match reset {
                    Reset::Changed => self.renew().await,
                    Reset::Partial if source.reset_session => self.renew().await,
                    Reset::Partial | Reset::Complete => self.make_idle(returning.since),
                }
            }
            Ok(Err(error)) => self.abandon(&error.to_string()),
            Err(_) => self.abandon("no answer to the health check after an invocation"),
        }
    }

    /// Replaces a connection whose session no SQL can reset.
    ///
    /// The old connection is closed first, so that the server has room for the new one. If the
    /// server has none, or had none lately, the next invocation connects.
    async fn renew(self) {
        let Self {
            connection,
            link,
            pool,
            permit,
            counters,
            ..
        } = self;
        drop(link);
        close(connection, pool.source.check_timeout, counters).await;
        if pool.state().policy.is_full() {
            return;
        }
        let end = deadline::after(pool.source.attempt_timeout);
        let new = match retry::open(&pool.source, Duration::ZERO, end, counters).await {
            Ok(new) => new,
            // Nobody waits for it, so this is no failed lease.
            Err(error) => return events::discarded(&format!("not replaced: {error}")),
        };
        let now = Timestamp::now();
        let renewed = Self {
            connection: new.connection,
            replacement: None,
            out: None,
            since: Instant::now(),
            is_reused: false,
            idle_since: None,
            opened: now,
            standing: Standing::of_new(new.found_full),
            link: new.link,
            failures: Failures::default(),
            pool,
            permit,
            counters,
        };
        renewed.make_idle(now);
    }

    /// Sends what is queued and reads what is unread, and inspects the session if that is due.
    async fn quiesce(mut self, returning: Returning<C>, inspects: bool) {
        let limit = self.step_limit();
        // Perhaps the answer to a statement that was abandoned, such as a BEGIN that sqlx takes for
        // any other statement.
        let is_quiet = self.link.is_quiet();
        let quiesce = async {
            let source = &self.pool.source;
            self.connection.quiesce(source).await?;
            if !is_quiet {
                self.connection.check(source).await?;
            }
            Ok::<_, Error>(())
        };
        let mut result = timeout(limit, quiesce).await;
        if inspects && matches!(result, Ok(Ok(()))) {
            self.pool.responded_or_wanted().await;
            let asked = Instant::now();
            result = timeout(limit, self.inspect()).await;
            if matches!(result, Ok(Ok(()))) {
                self.link.answered(asked);
            }
        }
        match result {
            Ok(Ok(())) => self.make_idle(returning.since),
            Ok(Err(error)) => self.abandon(&error.to_string()),
            Err(_) => self.abandon("still unfinished after its time limit"),
        }
    }

    pub(super) fn make_idle(self, since: Timestamp) {
        let Self {
            connection,
            opened,
            standing,
            link,
            failures,
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
                failures,
                opened,
                standing,
                link,
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

impl<C: Connect> Pool<C> {
    /// Waits until the response is out, which an inspection would delay: both need the processor.
    ///
    /// The wait is short, because the handler may go on, and meet a lock that it has left behind.
    /// Somebody who waits for a connection ends it.
    async fn responded_or_wanted(&self) {
        let mut wanted = pin!(self.wanted.notified());
        wanted.as_mut().enable();
        if self.state().waiting == 0 {
            tokio::select! {
                () = responded() => {}
                () = wanted => {}
                () = sleep(TIME_TO_RESPOND) => {}
            }
        }
    }
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
