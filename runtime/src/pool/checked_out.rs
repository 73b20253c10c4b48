//! A connection that is checked out, and the value that one invocation makes of it. A connection
//! that BEGIN finds dead is replaced here.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::{Failures, Idle, Pool, Standing};
use crate::clock::Timestamp;
use crate::connect::{Connect, FromConnection, Link, retry};
use crate::error::Error;
use crate::invocation::deadline;
use crate::invocation::leases_out::LeaseOut;
use crate::source::Pooler;
use crate::telemetry::{Count, Counters, events};

/// A connection with the permit to use it, owned by one lease.
pub(crate) struct CheckedOut<C> {
    pub(crate) connection: C,
    /// The connection that was opened when the first one turned out to be dead.
    pub(super) replacement: Option<C>,
    /// `true` until it is opened if it was idle before this lease.
    pub(super) is_reused: bool,
    /// The begin of the idle time before this lease, or the time of its health check. `None` for a
    /// new connection.
    pub(super) idle_since: Option<Timestamp>,
    /// The lease, unless the crate's own work has the connection.
    pub(super) out: Option<LeaseOut>,
    /// The time at which the lease got the connection.
    pub(super) since: Instant,
    pub(super) opened: Timestamp,
    pub(super) standing: Standing,
    pub(super) link: Link,
    pub(super) failures: Failures,
    pub(super) pool: Arc<Pool<C>>,
    pub(super) permit: OwnedSemaphorePermit,
    pub(super) counters: &'static Counters,
}

impl<C: Connect> CheckedOut<C> {
    /// Makes one of a connection that was idle.
    pub(super) fn reused(
        idle: Idle<C>,
        pool: &Arc<Pool<C>>,
        permit: OwnedSemaphorePermit,
        counters: &'static Counters,
    ) -> Self {
        Self {
            connection: idle.connection,
            replacement: None,
            since: Instant::now(),
            is_reused: true,
            idle_since: Some(idle.since),
            out: None,
            opened: idle.opened,
            standing: idle.standing,
            link: idle.link,
            failures: idle.failures,
            pool: Arc::clone(pool),
            permit,
            counters,
        }
    }

    /// Makes the handler's argument. For a transaction that is a BEGIN.
    ///
    /// BEGIN may find the connection dead. The handler has sent nothing by then, so the connection
    /// is replaced, once.
    // Cancellation safety: this lease owns both connections.
    pub(crate) async fn open<H: FromConnection<Connection = C>>(
        &mut self,
    ) -> Result<H::Open<'_>, Error> {
        let Self {
            connection,
            replacement,
            is_reused,
            opened,
            standing,
            link,
            out,
            failures,
            pool,
            counters,
            ..
        } = self;
        // The lease may be opened more than once.
        if let Some(replacement) = replacement.take() {
            *connection = replacement;
        }
        let may_be_replaced = std::mem::take(is_reused);
        let begun = Instant::now();
        // Connecting may have found out that the server is a pooler.
        pool.expect_own_session::<H>(counters)?;
        let end = deadline::before_deadline(pool.source.connect_timeout);
        let end_of_begin = if may_be_replaced && pool.source.pooler != Some(Pooler::Transaction) {
            end.min(deadline::after(pool.source.check_timeout))
        } else {
            // A pooler may need longer until it has a free session.
            end
        };
        let error = match timeout_at(end_of_begin, H::open(connection, &pool.source)).await {
            Ok(Ok(open)) => return Ok(open),
            Ok(Err(error)) => error,
            Err(_) => begin_timed_out(),
        };
        if !may_be_replaced {
            return Err(pool.begin_failed(error, begun, counters));
        }
        events::stale(begun.elapsed(), None, &error);
        counters.add(Count::Stale);
        *failures = Failures::default();
        let new = Box::pin(retry::open(&pool.source, Duration::ZERO, end, counters)).await;
        *opened = Timestamp::now();
        let connection = match new {
            Ok(new) => {
                *standing = Standing::of_new(new.found_full);
                *link = new.link;
                if let Some(out) = out {
                    out.uses(link.socket_id());
                }
                replacement.insert(new.connection)
            }
            Err(error) => {
                return Err(retry::report_unavailable(error, begun.elapsed(), counters));
            }
        };
        timeout_at(end, H::open(connection, &pool.source))
            .await
            .unwrap_or_else(|_| Err(begin_timed_out()))
            .map_err(|error| pool.begin_failed(error, begun, counters))
    }
}

fn begin_timed_out() -> Error {
    Error::unavailable("no answer to BEGIN in time")
}

impl<C: Connect> Pool<C> {
    /// Returns an error if `H` must not be used with the source: a connection behind a transaction
    /// pooler.
    pub(crate) fn expect_own_session<H>(&self, counters: &Counters) -> Result<(), Error>
    where
        H: FromConnection<Connection = C>,
    {
        let Some(driver) = C::DRIVER.filter(|_| H::NEEDS_OWN_SESSION) else {
            return Ok(());
        };
        (driver.expect_own_session)(&self.source).map_err(|error| {
            let error = error.with_attempts(self.source.shown_target(), 0, Duration::ZERO);
            retry::report_unavailable(error, Duration::ZERO, counters)
        })
    }

    /// Logs a failure of BEGIN. Any other error means that the invocation gets no connection.
    fn begin_failed(&self, error: Error, begun: Instant, counters: &Counters) -> Error {
        if let Error::Transaction { step, source } = &error {
            events::transaction_failed(step, source);
            return error;
        }
        let took = begun.elapsed();
        let error = error.with_attempts(self.source.shown_target(), 1, took);
        retry::report_unavailable(error, took, counters)
    }
}
