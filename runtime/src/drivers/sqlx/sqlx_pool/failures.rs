//! The connections of a pool after an invocation that failed.
//!
//! sqlx does not tell which connections an invocation has used. So each one that was idle at the
//! failure, or returned because of it, is taken for used.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use sqlx::Pool;
use sqlx::pool::PoolConnection;
use tokio::time::{sleep, timeout};

use super::has_connection_out;
use super::hooks::Hooks;
use crate::connect::{Cure, DriverConnect as _, Reset};
use crate::drivers::sqlx::Driver;
use crate::error::Error;
use crate::source::Source;
use crate::sync::Mutex;
use crate::telemetry::{Count, Counters, events};

/// The time between two readings of the clock that are meant to be one.
const TOLERANCE: Duration = Duration::from_micros(10);

/// The failures of one source in one runtime, by what they cost.
#[derive(Debug, Default)]
pub(super) struct FailureTimes(Mutex<Times>);

#[derive(Debug, Default)]
struct Times {
    /// The last failure of each cost.
    last: Vec<(Cure, Instant)>,
    /// The failures whose connections may still be returning.
    pending: Vec<Cure>,
}

impl FailureTimes {
    /// Records a failure. It lasts until the returned value is dropped.
    fn begin(self: &Arc<Self>, cure: Cure) -> Pending {
        self.0.lock().pending.push(cure);
        Pending(Arc::clone(self), cure)
    }

    fn end(&self, cure: Cure) {
        let mut times = self.0.lock();
        if let Some(position) = times.pending.iter().position(|other| *other == cure) {
            times.pending.swap_remove(position);
        }
        times.last.retain(|(other, _)| *other != cure);
        times.last.push((cure, Instant::now()));
    }

    /// Forgets a failure that ended by the time `ended`.
    fn forget(&self, cure: Cure, ended: Instant) {
        let mut times = self.0.lock();
        times
            .last
            .retain(|(other, time)| *other != cure || *time > ended);
    }

    /// Returns what a connection needs that is idle for `idle`.
    pub(super) fn cure(&self, idle: Duration) -> Option<Cure> {
        let times = self.0.lock();
        let was_idle = |time: &Instant| time.elapsed() <= idle.saturating_add(TOLERANCE);
        let last = times.last.iter().filter(|(_, time)| was_idle(time));
        let last = last.map(|(cure, _)| *cure);
        last.chain(times.pending.iter().copied()).max()
    }
}

/// A failure whose connections may still be returning. Until it is dropped, each connection that is
/// acquired is taken for used.
struct Pending(Arc<FailureTimes>, Cure);

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.end(self.1);
    }
}

/// Resets or closes the connections that are idle, and has the others cured when they are acquired.
pub(in crate::drivers) fn recover<DB: Driver>(
    pool: Pool<DB>,
    source: Source,
    cure: Cure,
) -> impl Future<Output = ()> + Send + 'static {
    // Made before the first poll, because another invocation may acquire a connection before that.
    let pending = Hooks::of(&source).failures.begin(cure);
    async move {
        // sqlx pings a connection that returns. Until the pool is quiet, each one that is acquired
        // is cured.
        let returned = async {
            while has_connection_out(&pool) {
                sleep(Duration::from_millis(1)).await;
            }
        };
        let _ = timeout(source.check_timeout, returned).await;
        let times = Arc::clone(&pending.0);
        drop(pending);
        let (ended, size) = (Instant::now(), pool.size());
        let taken = recover_idle(pool.clone(), source, cure).await;
        super::renew_if_smaller(&pool, &source, size).await;
        // Every connection was cured. One that is idle may be promised to an invocation that waits.
        if u32::try_from(taken).is_ok_and(|taken| taken >= size) {
            times.forget(cure, ended);
        }
    }
}

/// Treats the connections that are idle. Returns their number.
async fn recover_idle<DB: Driver>(pool: Pool<DB>, source: Source, cure: Cure) -> usize {
    // Each is taken before one is returned, so that each is taken once.
    let mut work = Vec::new();
    while let Some(connection) = pool.try_acquire() {
        let taken = Taken(Some(connection));
        work.push(Box::pin(taken.recover(source, cure)));
    }
    let taken = work.len();
    poll_fn(|cx| {
        work.retain_mut(|work| work.as_mut().poll(cx).is_pending());
        if work.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    taken
}

/// A connection that was taken from its pool, and does not return to it if it is dropped.
pub(super) struct Taken<DB: Driver>(pub(super) Option<PoolConnection<DB>>);

impl<DB: Driver> Taken<DB> {
    async fn recover(mut self, source: Source, cure: Cure) {
        let Some(connection) = &mut self.0 else {
            return;
        };
        let counters = Counters::of_process();
        if cure < Cure::Replace {
            let begun = tokio::time::Instant::now();
            counters.add(Count::Checked);
            let cured = timeout(
                source.check_timeout,
                self::cure::<DB>(connection, &source, cure),
            );
            match cured.await {
                Ok(Ok(())) => {
                    events::checked(begun.elapsed(), None);
                    return self.give_back(&source).await;
                }
                Ok(Err(error)) => events::discarded(&error.to_string()),
                Err(_) => events::discarded("no answer to the health check after a failure"),
            }
        }
        counters.add(Count::Discarded);
    }

    /// Returns the connection to its pool.
    pub(super) async fn give_back(mut self, source: &Source) {
        let returned = self.0.take().map(|mut taken| taken.return_to_pool());
        if let Some(returned) = returned {
            // sqlx pings it first.
            let _ = timeout(source.check_timeout, returned).await;
        }
    }
}

impl<DB: Driver> Drop for Taken<DB> {
    fn drop(&mut self) {
        // Closes it without waiting.
        drop(self.0.take().map(PoolConnection::detach));
    }
}

/// Resets a session, and closes its prepared statements if they may be the cause.
pub(super) async fn cure<DB: Driver>(
    connection: &mut DB::Connection,
    source: &Source,
    cure: Cure,
) -> Result<(), Error> {
    match cure {
        Cure::Reset | Cure::Clear => {
            if connection.reset(source).await? == Reset::Changed {
                return Err(Error::broken("the handler has changed its session"));
            }
            if cure == Cure::Clear {
                connection.clear().await?;
            }
            Ok(())
        }
        Cure::Replace => Err(Error::broken("the last two invocations failed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_needs_what_failed_since_it_is_idle() {
        let times = FailureTimes::default();
        let minute = Duration::from_secs(60);
        assert_eq!(times.cure(minute), None);
        times.end(Cure::Clear);
        times.end(Cure::Reset);
        assert_eq!(times.cure(minute), Some(Cure::Clear));
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(times.cure(Duration::from_millis(1)), None);
        times.end(Cure::Reset);
        assert_eq!(times.cure(Duration::from_millis(1)), Some(Cure::Reset));
        times.end(Cure::Replace);
        assert_eq!(times.cure(minute), Some(Cure::Replace));
    }

    #[test]
    fn a_connection_that_returns_after_a_failure_needs_the_same() {
        let times = Arc::new(FailureTimes::default());
        let (one, two) = (times.begin(Cure::Reset), times.begin(Cure::Reset));
        assert_eq!(times.cure(Duration::ZERO), Some(Cure::Reset));
        drop(one);
        let replace = times.begin(Cure::Replace);
        assert_eq!(times.cure(Duration::ZERO), Some(Cure::Replace));
        drop(replace);
        drop(two);
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(times.cure(Duration::from_millis(1)), None);
        assert_eq!(times.cure(Duration::from_secs(1)), Some(Cure::Replace));
    }
}
