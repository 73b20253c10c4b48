//! The server's load, asked by a pool, and the end of its idle connections.

use std::time::Duration;

use sqlx::Pool;
use tokio::time::timeout;

use super::failures::Taken;
use super::hooks::Hooks;
use crate::drivers::{Driver, load};
use crate::error::Error;
use crate::source::{ServerLoad, Source};

/// Takes the number of connections that a source's pool has opened since this was called last.
pub(in crate::drivers) fn take_opened(source: &Source) -> usize {
    Hooks::of(source).take_opened()
}

/// Asks the server for its load on an idle connection of the pool.
pub(in crate::drivers) async fn load<DB: Driver>(
    pool: Pool<DB>,
    source: Source,
    least_idle: Duration,
) -> Result<Option<ServerLoad>, Error> {
    let Some(connection) = pool.try_acquire() else {
        return Err(Error::broken("no connection of the pool is idle"));
    };
    let mut taken = Taken(Some(connection));
    let Some(connection) = &mut taken.0 else {
        return Ok(None);
    };
    let answer = load::ask::<DB>(connection, &source, least_idle).await?;
    taken.give_back(&source).await;
    Ok(answer)
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
