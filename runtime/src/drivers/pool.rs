//! A sqlx pool, set up for Lambda.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolOptions;
use sqlx::{Connection, Database, Pool};
use tokio::time::{Instant, timeout, timeout_at};

use super::{Driver, Options, connection};
use crate::clock::Moment;
use crate::{Error, Source, limit, owed};

/// What is kept of the time for connecting to find out why a pool could not.
const DIAGNOSIS: Duration = Duration::from_secs(1);

/// A pool with one connection open, so that an error of connecting is met here, with its cause.
pub(super) async fn open<DB: Driver>(source: &Source) -> Result<Pool<DB>, Error> {
    let url = source.url()?;
    let mut pool = lazy::<DB>(DB::options(&url, source)?, source);
    let mut first = first_connection(&pool, source).await;
    if first
        .as_ref()
        .is_err_and(|error| DB::was_too_much(error, source))
    {
        pool = lazy::<DB>(DB::options(&url, source)?, source);
        first = first_connection(&pool, source).await;
    }
    if let Err(sqlx::Error::PoolTimedOut) = first {
        // A pool tries again and again, and does not say what it met: a connection of our own does.
        drop(connection::open::<DB>(source).await?);
    }
    first?;
    Ok(pool)
}

async fn first_connection<DB: Database>(
    pool: &Pool<DB>,
    source: &Source,
) -> Result<(), sqlx::Error> {
    let end = limit::until(source.connect_timeout);
    let left = end.saturating_duration_since(Instant::now());
    let in_time = timeout_at(end - DIAGNOSIS.min(left / 4), async {
        // Back in the pool before the handler asks for it, or the pool would open another.
        pool.acquire().await?.return_to_pool().await;
        Ok(())
    });
    in_time.await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Asks nothing of the server, as each connection is checked when it is acquired. But a pool of which every connection is
/// out while nobody uses it has lost them; it is replaced if it does not get one back in time.
pub(super) async fn check<DB: Database>(pool: &Pool<DB>) -> Result<(), Error> {
    if pool.num_idle() == 0 && pool.size() >= pool.options().get_max_connections() {
        pool.acquire()
            .await
            .map_err(Error::unsound)?
            .return_to_pool()
            .await;
    }
    Ok(())
}

/// sqlx pings a connection whenever it is acquired and again when it is released, neither with a limit. The first is turned off, unless the
/// connection may have died; before the second, which cannot be turned off, comes one with a limit, so that a
/// connection that is dead by then is closed and does not block its place in the pool for ever.
fn lazy<DB: Driver>(options: Options<DB>, source: &Source) -> Pool<DB> {
    let source = *source;
    let freezes = Arc::new(Freezes::new());
    PoolOptions::<DB>::new()
        .max_connections(u32::try_from(source.max_connections).unwrap_or(u32::MAX))
        .min_connections(0)
        .acquire_timeout(source.connect_timeout)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            Box::pin(async move { connection::set_up::<DB>(connection, &source).await })
        })
        .before_acquire(move |connection, meta| {
            let idle = freezes.idle_for(meta.idle_for);
            Box::pin(async move {
                if idle >= source.verify_after {
                    ping(connection, source.check_timeout).await?;
                }
                Ok(true)
            })
        })
        .after_release(move |connection, _| {
            Box::pin(async move {
                let _owed = OwedUntilDropped::new();
                ping(connection, source.check_timeout).await?;
                Ok(true)
            })
        })
        .connect_lazy_with(options)
}

async fn ping<C: Connection>(connection: &mut C, limit: Duration) -> Result<(), sqlx::Error> {
    timeout(limit, connection.ping())
        .await
        .map_err(|_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))?
}

/// Makes the freeze wait for something that happens in another's task.
struct OwedUntilDropped {
    _done: tokio::sync::oneshot::Sender<()>,
}

impl OwedUntilDropped {
    fn new() -> Self {
        let (done, dropped) = tokio::sync::oneshot::channel();
        owed::spawn(async move {
            let _ = dropped.await;
        });
        Self { _done: done }
    }
}

/// The freezes that a pool has been through. A pool measures ages by the monotonic clock alone, which may stand still while
/// frozen.
struct Freezes(Mutex<LastFreeze>);

struct LastFreeze {
    seen: Moment,
    /// When the last freeze was noticed, and how long it had been by the wall clock alone.
    noticed: Instant,
    lasted: Duration,
}

impl Freezes {
    fn new() -> Self {
        Self(Mutex::new(LastFreeze {
            seen: Moment::now(),
            noticed: Instant::now(),
            lasted: Duration::ZERO,
        }))
    }

    /// How long a connection that is now acquired has been idle.
    fn idle_for(&self, monotonic: Duration) -> Duration {
        let now = Moment::now();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lag = now.lag_since(last.seen);
        // Less is the clocks' own drift.
        if lag > Duration::from_millis(10) {
            (last.noticed, last.lasted) = (Instant::now(), lag);
        }
        last.seen = now;
        let was_idle_then = last.noticed.elapsed() <= monotonic;
        if was_idle_then {
            monotonic.saturating_add(last.lasted)
        } else {
            monotonic
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::turn;

    #[test]
    fn a_freeze_that_the_monotonic_clock_missed_counts_as_idle() {
        let freezes = Freezes::new();
        assert_eq!(
            freezes.idle_for(Duration::from_millis(5)),
            Duration::from_millis(5)
        );
        turn::wall(Duration::from_secs(60));
        assert!(freezes.idle_for(Duration::from_millis(5)) > Duration::from_secs(59));
        // Another connection that slept through it, acquired later.
        assert!(freezes.idle_for(Duration::from_secs(2)) > Duration::from_secs(59));
        // One that was used since.
        assert_eq!(freezes.idle_for(Duration::ZERO), Duration::ZERO);
    }
}
