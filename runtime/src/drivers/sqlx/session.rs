//! Opening, setting up and quiescing a sqlx connection.

use std::future::poll_fn;
use std::pin::pin;

use sqlx::Connection;

use super::rds_roots::Untried;
use super::{Driver, Options, endpoint::Endpoint, error};
use crate::connect::{Attempt, Link, SessionId};
use crate::drivers::driver_error::DriverError as _;
use crate::drivers::target::{self, Rejection};
use crate::error::Error;
use crate::socket::{self, Socket};
use crate::source::Source;
use crate::telemetry::Counters;

/// Opens a connection and sets it up.
pub(super) async fn open<DB: Driver>(
    source: &Source,
    attempt: &Attempt,
) -> Result<(DB::Connection, Link), Error> {
    open_at::<DB>(&Endpoint::of::<DB>(source, attempt).await?, source).await
}

/// Opens a connection by a single attempt, outside the retry loop.
pub(super) async fn open_single<DB: Driver>(source: &Source) -> Result<DB::Connection, Error> {
    let attempt = Attempt::single(source, Counters::of_process()).await?;
    let (connection, _link) = open::<DB>(source, &attempt).await?;
    Ok(connection)
}

/// Opens a connection that is not set up yet, and finds its socket.
async fn connect<DB: Driver>(
    options: &Options<DB>,
    source: &Source,
) -> (Result<DB::Connection, sqlx::Error>, Option<Socket>) {
    let connect = DB::Connection::connect_with(options);
    let port = DB::port(options);
    let (result, found) = socket::connecting(port, source.socket_options, connect).await;
    (result, found.socket)
}

/// Opens a connection that is not set up, for brief work that the freeze waits for.
#[cfg(feature = "mysql")]
pub(super) async fn open_bare<DB: Driver>(source: &Source) -> Result<DB::Connection, Error> {
    let attempt = Attempt::single(source, Counters::of_process()).await?;
    let endpoint = Endpoint::of::<DB>(source, &attempt).await?;
    let options = endpoint.options::<DB>(source)?;
    let (connection, _socket) = connect::<DB>(&options, source).await;
    connection.map_err(Error::broken)
}

/// Opens a connection at a known endpoint.
pub(super) async fn open_at<DB: Driver>(
    endpoint: &Endpoint,
    source: &Source,
) -> Result<(DB::Connection, Link), Error> {
    let mut options = endpoint.options::<DB>(source)?;
    let uses_path = DB::uses_path(&options);
    let (mut result, mut socket) = connect::<DB>(&options, source).await;
    let mut untried = Untried::new();
    // A target may reject several, each once.
    while let Err(error) = &result
        && (untried.try_next(error, endpoint.url())
            || DB::rejected_startup_parameter(error, source, &options))
    {
        options = endpoint.options::<DB>(source)?;
        (result, socket) = connect::<DB>(&options, source).await;
    }
    let mut connection =
        result.map_err(|error| error::connecting(error, uses_path, endpoint.url()))?;
    let session = set_up::<DB>(&mut connection, source)
        .await
        .map_err(|error| error::set_up(error, source))?;
    if target::shares_sessions(source) {
        let set_up = Box::pin(DB::set_up_shared(&mut connection, source));
        set_up.await.map_err(|error| error::set_up(error, source))?;
    }
    Ok((connection, Link { socket, session }))
}

/// Sets up a new connection, and checks that the server accepts writes if the source requires that.
/// Returns the identity of the session if the set-up tells it.
pub(super) async fn set_up<DB: Driver>(
    connection: &mut DB::Connection,
    source: &Source,
) -> Result<Option<SessionId>, sqlx::Error> {
    let session = match run_set_up::<DB>(connection, source).await? {
        Some(session) => Some(session),
        None => DB::identify(connection).await?,
    };
    if source.read_write {
        // After a failover, the host's name may lead to the old writer for a while.
        DB::check(connection, source).await?;
    }
    Ok(session)
}

/// Runs the SQL that a new connection needs, in one round trip, or in four if the server rejects
/// the limits of the session for the first time.
async fn run_set_up<DB: Driver>(
    connection: &mut DB::Connection,
    source: &Source,
) -> Result<Option<SessionId>, sqlx::Error> {
    let Some(sql) = set_up_sql::<DB>(source)? else {
        return Ok(None);
    };
    let limits = limits_sql::<DB>(source);
    let error = match DB::set_up(connection, source, sql).await {
        Ok(session) => return Ok(session),
        Err(error) => error,
    };
    match limits {
        Some(limits) if error.is_rejection() => {
            Box::pin(set_up_without::<DB>(connection, source, limits, error)).await
        }
        _ => Err(error),
    }
}

/// Sets up a connection after an `error`, without the limits of the session if those are the
/// cause.
async fn set_up_without<DB: Driver>(
    connection: &mut DB::Connection,
    source: &Source,
    limits: String,
    error: sqlx::Error,
) -> Result<Option<SessionId>, sqlx::Error> {
    match DB::execute(connection, limits).await {
        Ok(()) => return Err(error),
        Err(rejection) if rejection.is_rejection() => {
            target::remember_rejection(source, Rejection::Server, &rejection);
        }
        Err(error) => return Err(error),
    }
    match set_up_sql::<DB>(source)? {
        Some(sql) => DB::set_up(connection, source, sql).await,
        None => Ok(None),
    }
}

/// Returns the SQL that a new connection needs.
fn set_up_sql<DB: Driver>(source: &Source) -> Result<Option<String>, Error> {
    let on_connect = source.on_connect_sql()?.map(|sql| {
        let sql = sql.trim_end_matches(|c: char| c == ';' || c.is_whitespace());
        sql.to_owned()
    });
    let parts = [limits_sql::<DB>(source), on_connect].into_iter().flatten();
    let all = parts.reduce(|all, part| format!("{all}; {part}"));
    Ok(all.filter(|sql| !sql.is_empty()))
}

fn limits_sql<DB: Driver>(source: &Source) -> Option<String> {
    DB::limits_sql(source).filter(|_| !target::rejects_limits(source))
}

/// Sends what is queued, such as the ROLLBACK of a dropped transaction, and reads what is unread.
///
/// If nothing was queued, an answer belongs to a statement that was cut off. sqlx reads it as the
/// end of any other, and so misses the transaction of a `begin()` and the descriptions after a
/// PREPARE. A health check ends the one and fails on the other.
pub(super) async fn quiesce<DB: Driver>(
    connection: &mut DB::Connection,
    source: &Source,
) -> Result<(), sqlx::Error> {
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
        DB::check(connection, source).await?;
    }
    Ok(())
}

/// Runs SQL outside a transaction, in one round trip.
///
/// A handler may have begun a transaction with SQL of its own, which sqlx does not know. Then the
/// transaction is rolled back, and the SQL runs again. Returns `true` if there was one.
///
/// sqlx keeps the transaction's status to itself. But after the statement of a `begin_with`, it
/// requires that a transaction is open. So a failed `begin_with` is the usual answer.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(super) async fn outside_transaction<DB: Driver>(
    connection: &mut DB::Connection,
    sql: &str,
) -> Result<bool, sqlx::Error> {
    let mut has_ended = false;
    loop {
        let begun = connection
            .begin_with(sqlx::AssertSqlSafe(sql.to_owned()))
            .await;
        let begun = begun.map(drop);
        match begun {
            Err(sqlx::Error::BeginFailed) => return Ok(has_ended),
            // The end of sqlx's transaction has queued a ROLLBACK.
            Ok(()) => connection.flush().await?,
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("25P02") => {
                end_transaction::<DB>(connection).await?;
            }
            Err(error) => return Err(error),
        }
        if has_ended {
            let message = "a transaction is open again after a ROLLBACK";
            return Err(sqlx::Error::Protocol(message.into()));
        }
        has_ended = true;
    }
}

/// Ends a transaction that sqlx does not know.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(super) async fn end_transaction<DB: Driver>(
    connection: &mut DB::Connection,
) -> Result<(), sqlx::Error> {
    DB::execute(connection, "rollback".to_owned()).await
}

/// Fails if a transaction is open according to sqlx.
pub(super) fn without_transaction<C: Connection, T>(
    connection: &C,
    result: Result<T, sqlx::Error>,
) -> Result<T, Error> {
    let result = result.map_err(Error::broken)?;
    if connection.is_in_transaction() {
        return Err(Error::broken("a transaction is still open on it"));
    }
    Ok(result)
}
