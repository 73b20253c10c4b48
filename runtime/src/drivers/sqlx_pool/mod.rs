//! A sqlx pool, set up for Lambda.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolOptions;
use sqlx::{Connection, Pool};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{Driver, Options, connection, place::Place};
use crate::clock::Moment;
use crate::{Error, Kind, Source, connecting, limit};

/// After how long a pool that has no connection yet is asked why: it tries again and again by itself,
/// without jitter, and does not say what it met. Longer than signing in takes on a small function.
const PATIENCE: Duration = Duration::from_millis(500);

/// A pool with one connection open, so that an error of connecting is met here, with its cause.
pub(super) async fn open<DB: Driver>(source: &Source) -> Result<Pool<DB>, Error> {
    let place = Place::of::<DB>(source).await?;
    if source.attempt.tries > 0 {
        // Only when there is something to be had.
        Box::pin(probe::<DB>(&place, source)).await?;
    }
    let mut pool = lazy::<DB>(place.options::<DB>(source)?, source);
    match first_connection(&pool, &place, source).await {
        Err(Met::Pool(error)) if DB::was_too_much(&error, source) => {
            pool = lazy::<DB>(place.options::<DB>(source)?, source);
            first_connection(&pool, &place, source).await?;
        }
        result => result?,
    }
    Ok(pool)
}

/// Who met an error.
enum Met {
    Pool(sqlx::Error),
    Probe(Error),
}

impl From<Met> for Error {
    fn from(met: Met) -> Self {
        match met {
            Met::Pool(error) => error.into(),
            Met::Probe(error) => error,
        }
    }
}

async fn first_connection<DB: Driver>(
    pool: &Pool<DB>,
    place: &Place,
    source: &Source,
) -> Result<(), Met> {
    let first = async {
        // Back in the pool before the handler asks for it, or the pool would open another.
        pool.acquire().await?.return_to_pool().await;
        Ok(())
    };
    let cause = async {
        if source.attempt.tries > 0 {
            // That has been asked: it would take the pool's own connection for a full server.
            return pending().await;
        }
        sleep(PATIENCE).await;
        match Box::pin(probe::<DB>(place, source)).await {
            Err(error) => {
                if error.kind() == Some(Kind::Saturated) {
                    // The last place may be the one that the pool is just getting.
                    sleep(PATIENCE).await;
                }
                error
            }
            Ok(()) => pending().await,
        }
    };
    tokio::select! {
        biased;
        result = first => result.map_err(Met::Pool),
        error = cause => Err(Met::Probe(error)),
    }
}

/// Opens a connection and closes it again: it says what it meets.
async fn probe<DB: Driver>(place: &Place, source: &Source) -> Result<(), Error> {
    let connection = connection::open_at::<DB>(place, source).await?;
    // Nothing that matters was said on it.
    let _ = connection.close().await;
    Ok(())
}

/// New connections are opened by the host's name, and with the credentials of now.
pub(super) async fn renew<DB: Driver>(pool: &Pool<DB>, source: &Source) -> Result<(), Error> {
    let place = Place::of::<DB>(source).await?;
    pool.set_connect_options(place.options::<DB>(source)?);
    Ok(())
}

/// sqlx pings a connection whenever it is acquired and again when it is released, neither with a
/// limit. The first is turned off, unless the connection may have died, and then has one. The
/// second cannot be: a pool that lost a connection in it is replaced. What is unread or queued on a
/// connection is read and sent before that ping, with a limit.
///
/// A connection that is silent is not given back to sqlx to be closed: over TLS that flushes it first, which
/// waits for an answer (rustls reads when there is nothing to write). Another is put in its place.
fn lazy<DB: Driver>(options: Options<DB>, source: &Source) -> Pool<DB> {
    let source = *source;
    let ages = Arc::new(Ages::new());
    let released = Arc::clone(&ages);
    PoolOptions::<DB>::new()
        .max_connections(u32::try_from(source.max_connections).unwrap_or(u32::MAX))
        .min_connections(0)
        .acquire_timeout(source.connect_timeout.min(limit::FAR))
        .idle_timeout(None)
        .max_lifetime(source.max_lifetime)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            Box::pin(async move { connection::set_up::<DB>(connection, &source).await })
        })
        .before_acquire(move |connection, meta| {
            let idle = ages.idle_for(meta.idle_for);
            // sqlx looks at it on release only.
            let is_too_old = source.max_lifetime.is_some_and(|most| meta.age >= most);
            Box::pin(async move {
                if idle >= source.verify_after
                    && let Err(error) = checked::<DB>(connection, source.check_timeout).await
                {
                    *connection = replacement::<DB>(&source, &error.to_string()).await?;
                    return Ok(true);
                }
                Ok(!is_too_old)
            })
        })
        .after_release(move |connection, _| {
            released.release();
            Box::pin(async move {
                // The rows of a query that was cut off, perhaps a million, would all be read by
                // sqlx's ping. This and what follows mostly fit into what is waited for before a freeze.
                let rest = timeout(source.check_timeout / 4, DB::rest(connection));
                if let Ok(rest) = rest.await {
                    return Ok(rest.is_ok());
                }
                *connection =
                    replacement::<DB>(&source, "its query was cut off, and goes on").await?;
                Ok(true)
            })
        })
        .connect_lazy_with(options)
}

async fn checked<DB: Driver>(
    connection: &mut DB::Connection,
    limit: Duration,
) -> Result<(), sqlx::Error> {
    let checked = timeout(limit, DB::check(connection)).await;
    checked.unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
}

/// A connection of today's, as a new one of the pool's would be, in place of one that is discarded.
async fn replacement<DB: Driver>(source: &Source, reason: &str) -> Result<DB::Connection, Error> {
    tracing::debug!(target: "reuse_db", reason, "discarded");
    let end = limit::after(source.attempt_timeout);
    timeout_at(end, connecting::caught(connection::open::<DB>(source)))
        .await
        .unwrap_or_else(|_| Err(Error::unavailable("no answer in time")))
}

/// What a pool does not know of its connections' ages: it measures by the monotonic clock, which
/// may stand still while frozen, and from the end of a release, which may be after a freeze that
/// began in it.
struct Ages(Mutex<Seen>);

struct Seen {
    last: Moment,
    last_release: Moment,
    /// When a freeze that the monotonic clock missed was noticed last, and how long it was.
    freeze: (Instant, Duration),
}

impl Ages {
    fn new() -> Self {
        let now = Moment::now();
        Self(Mutex::new(Seen {
            last: now,
            last_release: now,
            freeze: (Instant::now(), Duration::ZERO),
        }))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection is being given back.
    fn release(&self) {
        self.seen().last_release = Moment::now();
    }

    /// How long a connection may have been idle that is now acquired, and was for `monotonic` as
    /// the pool says.
    fn idle_for(&self, monotonic: Duration) -> Duration {
        let now = Moment::now();
        let mut seen = self.seen();
        let lag = now.lag_since(seen.last);
        // Less is the clocks' own drift.
        if lag > Duration::from_millis(10) {
            seen.freeze = (Instant::now(), lag);
        }
        seen.last = now;
        let (noticed, lasted) = seen.freeze;
        let slept_through = noticed.elapsed() <= monotonic;
        let idle = if slept_through {
            monotonic.saturating_add(lasted)
        } else {
            monotonic
        };
        idle.max(now.since(seen.last_release))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::turn;

    #[test]
    fn a_freeze_that_the_monotonic_clock_missed_counts_as_idle() {
        let ages = Ages::new();
        assert!(ages.idle_for(Duration::from_millis(5)) < Duration::from_secs(1));
        turn::wall(Duration::from_secs(60));
        assert!(ages.idle_for(Duration::from_millis(5)) > Duration::from_secs(59));
        ages.release();
        // Another connection that slept through it, acquired later.
        assert!(ages.idle_for(Duration::from_secs(2)) > Duration::from_secs(59));
        // The one that was used since.
        assert!(ages.idle_for(Duration::ZERO) < Duration::from_secs(1));
    }

    #[test]
    fn a_freeze_in_the_middle_of_a_release_counts_as_idle() {
        let ages = Ages::new();
        ages.release();
        turn::monotonic(Duration::from_secs(60));
        turn::wall(Duration::from_secs(60));
        assert!(ages.idle_for(Duration::ZERO) > Duration::from_secs(59));
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test]
    async fn a_connection_past_its_lifetime_is_replaced() {
        let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE")
            .or("sqlite::memory:")
            .on_connect("create table notes (text)")
            .max_connections(1);
        for (age, is_kept) in [(Duration::from_millis(100), false), (Duration::MAX, true)] {
            let pool = open::<sqlx::Sqlite>(&source.max_lifetime(age))
                .await
                .expect("a pool");
            let note = sqlx::query("insert into notes values ('a note')");
            note.execute(&pool).await.expect("a note");
            tokio::time::sleep(Duration::from_millis(150)).await;
            let notes: i64 = sqlx::query_scalar("select count(*) from notes")
                .fetch_one(&pool)
                .await
                .expect("a count");
            // A database in memory is as old as its connection.
            assert_eq!(notes == 1, is_kept, "{age:?}");
        }
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test]
    async fn the_longest_wait_is_no_panic() {
        let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE")
            .or("sqlite::memory:")
            .connect_timeout(Duration::MAX);
        assert!(open::<sqlx::Sqlite>(&source).await.is_ok());
    }
}
