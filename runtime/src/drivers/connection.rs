//! A sqlx connection, kept for itself.

use std::future::poll_fn;
use std::pin::pin;

use sqlx::Connection;

use super::{Driver, errors, place::Place};
use crate::{Error, Source};

/// Opens a connection and sets it up.
pub(super) async fn open<DB: Driver>(source: &Source) -> Result<DB::Connection, Error> {
    open_at::<DB>(&Place::of::<DB>(source).await?, source).await
}

/// The same, where that is known.
pub(super) async fn open_at<DB: Driver>(
    place: &Place,
    source: &Source,
) -> Result<DB::Connection, Error> {
    let mut connection = match DB::Connection::connect_with(&place.options::<DB>(source)?).await {
        Err(error) if DB::was_too_much(&error, source) => {
            DB::Connection::connect_with(&place.options::<DB>(source)?).await?
        }
        result => result?,
    };
    set_up::<DB>(&mut connection, source)
        .await
        .map_err(errors::set_up)?;
    Ok(connection)
}

/// Runs what a new connection needs, in one round trip.
pub(super) async fn set_up<DB: Driver>(
    connection: &mut DB::Connection,
    source: &Source,
) -> Result<(), sqlx::Error> {
    match (DB::set_up(source), source.on_connect) {
        (None, None) => Ok(()),
        (Some(sql), None) => DB::execute(connection, sql).await,
        (None, Some(sql)) => DB::execute(connection, sql.to_owned()).await,
        (Some(first), Some(second)) => DB::execute(connection, format!("{first}; {second}")).await,
    }
}

/// Sends what is queued, the ROLLBACK of a transaction that was dropped, and reads what is unread.
///
/// An answer to nothing that was queued is that of a statement that was cut off. sqlx reads on as
/// after any other, and misses a transaction that a `begin()` opened and the descriptions that
/// follow a PREPARE: a check ends the one and fails on the other.
pub(super) async fn rest<DB: Driver>(connection: &mut DB::Connection) -> Result<(), sqlx::Error> {
    let is_queued = connection.should_flush();
    let mut has_waited = false;
    {
        let mut flush = pin!(connection.flush());
        poll_fn(|cx| {
            let poll = flush.as_mut().poll(cx);
            has_waited |= poll.is_pending();
            poll
        })
        .await?;
    }
    if has_waited && !is_queued {
        DB::check(connection).await?;
    }
    Ok(())
}

/// No connection may be kept with a transaction open, whatever its driver thinks of it.
pub(super) fn without_transaction<C: Connection>(
    connection: &C,
    result: Result<(), sqlx::Error>,
) -> Result<(), Error> {
    result.map_err(Error::unsound)?;
    if connection.is_in_transaction() {
        return Err(Error::unsound("a transaction is still open on it"));
    }
    Ok(())
}
