//! The work on a pool's idle connections after a response: an inspection, a load query, closing.

use std::time::Duration;

use sqlx::Pool;
use tokio::time::timeout;

use super::failures::Taken;
use super::hooks::Hooks;
use crate::connect::DriverConnect as _;
use crate::drivers::sqlx::{Driver, load};
use crate::environment;
use crate::error::Error;
use crate::source::{ServerLoad, Source};
use crate::telemetry::{Count, Counters, HandlerName, events};

/// Takes the number of connections that a source's pool has opened since this was called last.
pub(in crate::drivers) fn take_opened(source: &Source) -> usize {
    Hooks::of(source).take_opened()
}

/// Inspects the idle connections if `inspects` is true, and asks the server for its load on one of
/// them unless `least_idle` is `None`.
///
/// The connections are taken one after the other, because other invocations may need the rest. The
/// pool hands out the connection that was idle for longest.
pub(in crate::drivers) async fn tend<DB: Driver>(
    pool: Pool<DB>,
    source: Source,
    inspects: bool,
    least_idle: Option<Duration>,
) -> Result<Option<ServerLoad>, Error> {
    let (size, idle) = (pool.size(), pool.num_idle());
    let mut answer = least_idle.map(|_| Err(Error::broken("no connection of the pool is idle")));
    let mut asks = least_idle;
    for _ in 0..if inspects { idle } else { 1 } {
        let Some(connection) = pool.try_acquire() else {
            break;
        };
        let mut taken = Taken(Some(connection));
        if inspects && let Err(reason) = taken.inspect(&source).await {
            events::discarded(&reason);
            continue;
        }
        if let Some(least_idle) = asks.take() {
            let load = taken.ask(&source, least_idle).await;
            let is_sound = load.is_ok();
            answer = Some(load);
            if !is_sound {
                continue;
            }
        }
        taken.give_back(&source).await;
    }
    super::renew_if_smaller(&pool, &source, size).await;
    answer.unwrap_or(Ok(None))
}

impl<DB: Driver> Taken<DB> {
    /// Ends what a handler left open on the connection. Returns the reason if it must be dropped.
    async fn inspect(&mut self, source: &Source) -> Result<(), String> {
        let Some(connection) = &mut self.0 else {
            return Ok(());
        };
        Counters::of_process().add(Count::Inspected);
        match timeout(source.check_timeout, connection.inspect(source)).await {
            Ok(Ok(found)) => {
                if found {
                    events::left_open(&environment::function(), HandlerName::UNKNOWN);
                }
                Ok(())
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer to the inspection".to_owned()),
        }
    }

    async fn ask(
        &mut self,
        source: &Source,
        least_idle: Duration,
    ) -> Result<Option<ServerLoad>, Error> {
        let Some(connection) = &mut self.0 else {
            return Ok(None);
        };
        load::ask::<DB>(connection, source, least_idle).await
    }
}

/// Closes up to `most` idle connections of the pool. Returns the numbers of those that were closed
/// and of those that are still open.
pub(in crate::drivers) async fn close_idle<DB: Driver>(
    pool: Pool<DB>,
    limit: Duration,
    most: usize,
) -> (usize, usize) {
    let mut closed = 0;
    while closed < most
        && let Some(connection) = pool.try_acquire()
    {
        closed += 1;
        // After the limit it is dropped, which closes it, too.
        let _ = timeout(limit, connection.close()).await;
    }
    (closed, usize::try_from(pool.size()).unwrap_or(usize::MAX))
}
