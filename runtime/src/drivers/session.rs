//! A sqlx connection, kept for itself.

use std::future::poll_fn;
use std::pin::pin;

use sqlx::Connection;

use super::{Driver, errors, place::Place, refused};
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
    let options = place.options::<DB>(source)?;
    let is_by_socket = DB::is_by_socket(&options);
    let result = match DB::Connection::connect_with(&options).await {
        Err(error) if DB::was_too_much(&error, source) => {
            DB::Connection::connect_with(&place.options::<DB>(source)?).await
        }
        result => result,
    };
    let mut connection = result.map_err(|error| errors::connecting(error, is_by_socket))?;
    set_up::<DB>(&mut connection, source)
        .await
        .map_err(|error| errors::set_up(error, source))?;
    Ok(connection)
}

/// Runs what a new connection needs, in one round trip, or in three where an end of idle sessions is
/// refused for the first time.
pub(super) async fn set_up<DB: Driver>(
    connection: &mut DB::Connection,
    source: &Source,
) -> Result<(), sqlx::Error> {
    let Some(sql) = set_up_sql::<DB>(source) else {
        return Ok(());
    };
    let asked = idle_limit::<DB>(source);
    let Err(error) = DB::execute(connection, sql).await else {
        return Ok(());
    };
    match asked {
        Some(asked) if errors::is_refusal(&error) => {
            Box::pin(set_up_without::<DB>(connection, source, asked, error)).await
        }
        _ => Err(error),
    }
}

/// The same after an `error`, if what was `asked` of the server is the cause.
async fn set_up_without<DB: Driver>(
    connection: &mut DB::Connection,
    source: &Source,
    asked: String,
    error: sqlx::Error,
) -> Result<(), sqlx::Error> {
    match DB::execute(connection, asked).await {
        Ok(()) => return Err(error),
        Err(refusal) if errors::is_refusal(&refusal) => refused::remember(source, &refusal),
        Err(error) => return Err(error),
    }
    match set_up_sql::<DB>(source) {
        Some(sql) => DB::execute(connection, sql).await,
        None => Ok(()),
    }
}

/// What a new connection needs.
pub(super) fn set_up_sql<DB: Driver>(source: &Source) -> Option<String> {
    let parts = [
        idle_limit::<DB>(source),
        DB::set_up(source),
        source.on_connect.map(str::to_owned),
    ];
    parts
        .into_iter()
        .flatten()
        .reduce(|all, part| format!("{all}; {part}"))
}

fn idle_limit<DB: Driver>(source: &Source) -> Option<String> {
    DB::idle_limit(source).filter(|_| !refused::is_known(source))
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
