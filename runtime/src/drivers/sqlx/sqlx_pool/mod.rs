//! A sqlx pool, set up for Lambda.

mod failures;
mod hooks;
mod idle_time;
mod sockets;
mod tend;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use sqlx::Pool;
use sqlx::pool::PoolOptions;
use tokio::time::{Instant, sleep, timeout, timeout_at};

pub(super) use self::failures::recover;
use self::failures::{Taken, cure};
use self::hooks::Hooks;
use self::idle_time::IdleTime;
use self::sockets::Sockets;
pub(super) use self::tend::{close_idle, take_opened, tend};
use super::{Driver, Options, endpoint::Endpoint, error, error_kind::error_kind, session};
use crate::connect::health::{self, Health};
use crate::connect::{Attempt, Connect as _, Reset, Unused, catch_panic, retry};
use crate::drivers::target;
use crate::error::Error;
use crate::invocation::{self, deadline, failed_leases};
use crate::socket::{self, State};
use crate::source::Source;
use crate::telemetry::{Count, Counters, events};

/// The time for what is unread when a handler was ended by its deadline. The freeze comes soon, and
/// the server must see the end of the connection before.
const BEFORE_FREEZE: Duration = Duration::from_millis(10);

/// Opens a pool with one connection by a single attempt, so that an error of connecting is found
/// here, with its cause.
pub(super) async fn open<DB: Driver>(
    source: &Source,
    attempt: &Attempt,
) -> Result<Pool<DB>, Error> {
    target::expect_own_session(source)?;
    let endpoint = Endpoint::of::<DB>(source, attempt).await?;
    let mut options = endpoint.options::<DB>(source)?;
    let mut pool = build_pool::<DB>(options.clone(), source, attempt);
    let mut opened = first_connection(&pool, &options, source).await;
    // A target may reject several, each once.
    while let Err(error) = &opened
        && DB::rejected_startup_parameter(error, source, &options)
    {
        target::expect_own_session(source)?;
        options = endpoint.options::<DB>(source)?;
        pool = build_pool::<DB>(options.clone(), source, attempt);
        opened = first_connection(&pool, &options, source).await;
    }
    match opened {
        Ok(()) => Ok(pool),
        Err(error) if is_second_attempt(&error) => {
            Err(cause_of_first::<DB>(&endpoint, source, attempt).await)
        }
        Err(error) => {
            let uses_path = DB::uses_path(&options);
            Err(error::connecting(error, uses_path, endpoint.url()))
        }
    }
}

/// Opens a pool by a single attempt, outside the retry loop.
pub(super) async fn open_single<DB: Driver>(source: &Source) -> Result<Pool<DB>, Error> {
    open::<DB>(
        source,
        &Attempt::single(source, Counters::of_process()).await?,
    )
    .await
}

/// Opens the first connection of a pool by a single attempt.
///
/// sqlx's pool tries again by itself, without jitter, and does not report the cause. It reads its
/// options before each attempt. So a second attempt gets options that fail at once.
async fn first_connection<DB: Driver>(
    pool: &Pool<DB>,
    options: &Options<DB>,
    source: &Source,
) -> Result<(), sqlx::Error> {
    let hooks = Hooks::of(source);
    *hooks.sockets.lock() = None;
    let (port, first) = (DB::port(options), single_attempt(pool, options));
    let (result, found) = socket::connecting(port, source.socket_options, first).await;
    *hooks.sockets.lock() = port.map(|_| Sockets::of_first(found));
    result
}

/// Acquires the first connection of a pool by a single attempt, and returns it.
async fn single_attempt<DB: Driver>(
    pool: &Pool<DB>,
    options: &Options<DB>,
) -> Result<(), sqlx::Error> {
    let mut first = pin!(async {
        // Awaited, so that the handler's first query does not open another connection.
        pool.acquire().await?.return_to_pool().await;
        Ok(())
    });
    if let Poll::Ready(result) = poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx))).await {
        return result;
    }
    let Some(failing) = DB::failing(options) else {
        return first.await;
    };
    pool.set_connect_options(failing);
    let result = first.await;
    pool.set_connect_options(options.clone());
    result
}

/// Returns `true` for the error of a second attempt with options of [`Driver::failing`].
fn is_second_attempt(error: &sqlx::Error) -> bool {
    use std::io::ErrorKind::{InvalidInput, Unsupported};
    matches!(error, sqlx::Error::Io(error) if matches!(error.kind(), InvalidInput | Unsupported))
}

/// Finds the cause for which sqlx's pool would have tried again: the server was full or starting,
/// or it refused the connection.
///
/// Opens a connection of its own, and closes it. At a server that was full before, nothing is
/// opened.
async fn cause_of_first<DB: Driver>(
    endpoint: &Endpoint,
    source: &Source,
    attempt: &Attempt,
) -> Error {
    if let Some(full) = attempt.full.as_ref().and_then(|full| full.clone_as_text()) {
        return full;
    }
    match Box::pin(session::open_at::<DB>(endpoint, source)).await {
        Ok((connection, link)) => {
            drop(link);
            let _ = sqlx::Connection::close(connection).await;
            // A server that was full a moment ago.
            Error::saturated("the server rejected an attempt, and accepted another one")
        }
        Err(error) => error,
    }
}

/// Renews the options of connections that the pool opens: the host's name, and the credentials.
pub(super) async fn renew<DB: Driver>(pool: &Pool<DB>, source: &Source) -> Result<(), Error> {
    if source.is_in_memory() {
        // sqlx reads another database out of the same URL.
        return Ok(());
    }
    let attempt = Attempt::single(source, Counters::of_process()).await?;
    let endpoint = Endpoint::of::<DB>(source, &attempt).await?;
    pool.set_connect_options(endpoint.options::<DB>(source)?);
    Ok(())
}

/// Renews the options of a pool that has fewer connections than `size`. sqlx opens the next one by
/// itself, with the credentials that the pool has. A pool without connections is replaced at the
/// next lease, see [`check`].
async fn renew_if_smaller<DB: Driver>(pool: &Pool<DB>, source: &Source, size: u32) {
    let is_smaller = (1..size).contains(&pool.size());
    if !is_smaller || !source.has_credentials() {
        return;
    }
    match timeout(source.attempt_timeout, renew(pool, source)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => events::not_renewed(&error),
        Err(_) => events::not_renewed(&"no answer in time"),
    }
}

/// Returns `true` while a connection is in use or on its way back to the pool.
pub(super) fn has_connection_out<DB: Driver>(pool: &Pool<DB>) -> bool {
    u32::try_from(pool.num_idle()).is_ok_and(|idle| idle < pool.size())
}

/// Returns `true` if a connection of the source's pool was dropped in the middle of a statement
/// that the server may still run.
pub(super) fn has_abandoned(source: &Source) -> bool {
    Hooks::of(source).has_abandoned()
}

/// Shuts the sockets of the pool down, because a connection has not returned in time: a task waits
/// for an answer to sqlx's ping, or outlives its invocation, and the freeze comes next. Does
/// nothing if other invocations may use the pool.
pub(super) fn shut_down<DB: Driver>(pool: &Pool<DB>, source: &Source) {
    if invocation::is_frozen_after() && has_connection_out(pool) {
        Hooks::of(source).shut_down();
        // They are shut down as well.
        while let Some(idle) = pool.try_acquire() {
            drop(Taken(Some(idle)));
        }
    }
}

/// Ends the sessions of the pool that still run a statement that its handler has abandoned. Does
/// nothing once `unused` returns `false`: then a session may run a statement of another handler.
pub(super) async fn end_abandoned<DB: Driver>(pool: Pool<DB>, source: Source, unused: Unused) {
    let hooks = Hooks::of(&source);
    // A clone that a handler keeps has a connection out.
    let unused = Arc::new(move || unused() && !has_connection_out(&pool));
    if !unused() {
        return;
    }
    let Some(sessions) = hooks.take_abandoned() else {
        return;
    };
    let still_unused = Arc::clone(&unused);
    let end = DB::end_busy(&source, &sessions, Box::new(move || still_unused()));
    if !matches!(timeout(source.check_timeout, end).await, Ok(Ok(()))) {
        events::discarded("a session of the pool could not be ended");
    }
    if !unused() {
        // The end of the next invocation is another chance.
        hooks.abandoned();
    }
}

/// Waits until the pool has all its connections back. If the source requires a server that accepts
/// writes, checks that on one of them.
///
/// A pool without connections would open the next one by itself, by a single attempt, and with the
/// credentials that it had last. So such a pool is replaced if its credentials may be old.
pub(super) async fn check<DB: Driver>(pool: &Pool<DB>, source: &Source) -> Result<(), Error> {
    if pool.is_closed() {
        return Err(Error::broken("a handler has closed it"));
    }
    while has_connection_out(pool) {
        sleep(Duration::from_millis(1)).await;
    }
    if source.has_credentials() && pool.size() == 0 {
        return Err(Error::broken(
            "it has no connection, and its credentials may be old",
        ));
    }
    if source.read_write {
        let mut connection = pool.acquire().await.map_err(Error::broken)?;
        connection.check(source).await?;
        // Awaited, so that the handler's first query does not open another connection.
        connection.return_to_pool().await;
    }
    Ok(())
}

/// Builds a pool with the hooks that keep its connections usable across freezes.
///
/// sqlx pings a connection when it is acquired and again when it is released, without a limit.
/// The ping on acquire is turned off and replaced by the health check, which has a limit. The ping
/// on release cannot be turned off: a pool that loses a connection in it is replaced. What is
/// unread or queued is read and sent before that ping, with a limit.
///
/// A silent connection is not returned to sqlx to be closed. Over TLS that flushes it first, which
/// waits for an answer, because rustls reads when there is nothing to write. So another connection
/// takes its place.
fn build_pool<DB: Driver>(options: Options<DB>, source: &Source, attempt: &Attempt) -> Pool<DB> {
    let source = *source;
    let port = DB::port(&options);
    let (address_index, counters) = (attempt.address_index, attempt.counters);
    let idle_time = Arc::new(IdleTime::new());
    let on_release = Arc::clone(&idle_time);
    let hooks = Hooks::of(&source);
    let (on_connect, abandoning) = (Arc::clone(&hooks), Arc::clone(&hooks));
    PoolOptions::<DB>::new()
        .max_connections(u32::try_from(source.connection_limit()).unwrap_or(u32::MAX))
        .min_connections(0)
        .acquire_timeout(source.connect_timeout.min(deadline::MAX_WAIT))
        .idle_timeout(None)
        // The hooks look at the age. sqlx would look in a task, which spins if the limit is zero.
        .max_lifetime(None)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let hooks = Arc::clone(&on_connect);
            Box::pin(async move {
                let result = session::set_up::<DB>(connection, &source).await;
                hooks.opened(result.as_ref().ok().copied().flatten());
                if let (Some(sockets), Some(port)) = (&mut *hooks.sockets.lock(), port) {
                    sockets.opened(port, source.socket_options);
                }
                // The pool tries again until its time is up, and does not report the cause.
                if let Err(error) = &result {
                    let kind = error_kind(error);
                    failed_leases::record_cause(&Error::connect(kind, error.to_string()));
                }
                result.map(drop)
            })
        })
        .before_acquire(move |connection, meta| {
            let idle = idle_time.of(meta.idle_for);
            let needed = hooks.failures.cure(meta.idle_for);
            let has_hung_up = {
                let mut sockets = hooks.sockets.lock();
                sockets.as_mut().is_some_and(Sockets::has_hung_up)
            };
            let is_too_old = health::is_too_old(meta.age, &source);
            if is_too_old {
                // sqlx closes it, and over TLS waits for an answer first.
                hooks.shut_down_only();
            }
            Box::pin(async move {
                if is_too_old {
                    return Ok(false);
                }
                if let Some(needed) = needed {
                    let cured = cure::<DB>(connection, &source, needed);
                    counters.add(Count::Checked);
                    if !matches!(timeout(source.check_timeout, cured).await, Ok(Ok(()))) {
                        counters.add(Count::Stale);
                        *connection =
                            replacement_for_acquire::<DB>(&source, address_index, counters).await?;
                    }
                    return Ok(true);
                }
                if idle < source.verify_after && !has_hung_up {
                    return Ok(true);
                }
                let end = deadline::after(source.check_timeout);
                match health::check(connection, &source, idle, end, counters).await {
                    Health::Sound => {}
                    Health::Stale | Health::Silent => {
                        *connection =
                            replacement_for_acquire::<DB>(&source, address_index, counters).await?;
                    }
                }
                Ok(true)
            })
        })
        .after_release(move |connection, meta| {
            on_release.release();
            let is_too_old = health::is_too_old(meta.age, &source);
            let abandoning = Arc::clone(&abandoning);
            Box::pin(async move {
                // sqlx's ping would read the rest of a query that was cut off, perhaps a million
                // rows. A quarter leaves time for a replacement before the freeze.
                // Perhaps the answer to a BEGIN that was abandoned, see `CheckedOut::quiesce`.
                let is_quiet = {
                    let mut sockets = abandoning.sockets.lock();
                    let state = sockets.as_mut().and_then(Sockets::state_of_only);
                    state.is_none_or(|state| state == State::Quiet)
                };
                let quiesce = async {
                    DB::quiesce(connection, &source).await?;
                    if !is_quiet {
                        DB::check(connection, &source).await?;
                    }
                    if source.reset_session {
                        let reset = DB::reset(connection, &source).await?;
                        return Ok(reset == Reset::Complete);
                    }
                    Ok::<_, sqlx::Error>(true)
                };
                // A task of sqlx, which returns a connection that its handler has dropped, serves
                // no invocation. Any other is awaited.
                let is_dropped = invocation::current().is_none();
                let has_ended = is_dropped && deadline::has_handler_ended();
                let limit = if has_ended {
                    BEFORE_FREEZE
                } else {
                    source.check_timeout / 4
                };
                match timeout(limit, quiesce).await {
                    Ok(result) => Ok(result.unwrap_or(false) && !is_too_old),
                    Err(_) if has_ended => {
                        abandoning.abandoned();
                        // sqlx closes the connection, but over TLS it waits for an answer first,
                        // and the freeze comes before that ends.
                        if invocation::is_frozen_after() {
                            abandoning.shut_down();
                        }
                        let cause = "the deadline has cut off its statement";
                        Err(sqlx::Error::Protocol(cause.to_owned()))
                    }
                    Err(_) => {
                        events::discarded("its query was cut off and still runs");
                        counters.add(Count::Discarded);
                        abandoning.abandoned();
                        *connection = replacement::<DB>(&source, address_index, counters).await?;
                        Ok(true)
                    }
                }
            })
        })
        .connect_lazy_with(options)
}

/// Opens a connection in place of one that is dropped, at the address that the pool was opened at.
async fn replacement<DB: Driver>(
    source: &Source,
    address_index: usize,
    counters: &'static Counters,
) -> Result<DB::Connection, Error> {
    let end = deadline::after(source.attempt_timeout);
    let open = async {
        let mut attempt = Attempt::single(source, counters).await?;
        attempt.address_index = address_index;
        session::open::<DB>(source, &attempt).await
    };
    let begun = Instant::now();
    let opened = timeout_at(end, catch_panic(open))
        .await
        .unwrap_or_else(|_| Err(Error::unavailable("no answer in time")));
    match opened {
        Ok((connection, link)) => {
            let hooks = Hooks::of(source);
            hooks.opened(link.session);
            if let (Some(sockets), Some(socket)) = (&mut *hooks.sockets.lock(), &link.socket) {
                sockets.add(socket.id());
            }
            Ok(connection)
        }
        Err(error) => {
            let error = error.with_attempts(source.shown_target(), 1, begun.elapsed());
            failed_leases::record_cause(&error);
            Err(error)
        }
    }
}

/// Opens a connection in place of a dead one, for the invocation that acquires it. Rejected
/// sign-ins are retried, as they are when a pool is opened.
async fn replacement_for_acquire<DB: Driver>(
    source: &Source,
    address_index: usize,
    counters: &'static Counters,
) -> Result<DB::Connection, Error> {
    let end = deadline::before_deadline(source.connect_timeout);
    let mut rejected_sign_ins = 0;
    loop {
        match replacement::<DB>(source, address_index, counters).await {
            Err(error) if error.rejects_sign_in() && source.has_credentials() => {
                rejected_sign_ins += 1;
                let pause = retry::pause_after_sign_in(rejected_sign_ins, source);
                source.doubt_credentials();
                let error = error.sign_in_kept_failing(source.sign_in_advice());
                // The pool's own time may be up first.
                failed_leases::record_cause(&error);
                if Instant::now() + pause >= end {
                    return Err(error);
                }
                sleep(pause).await;
            }
            result => return result,
        }
    }
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_past_its_lifetime_is_replaced() {
        let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE")
            .or("sqlite::memory:")
            .on_connect("create table notes (text)")
            .max_connections(1);
        for (age, is_kept) in [(Duration::from_millis(100), false), (Duration::MAX, true)] {
            let pool = open_single::<sqlx::Sqlite>(&source.max_lifetime(age))
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

    #[tokio::test]
    async fn the_longest_wait_does_not_panic() {
        let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE")
            .or("sqlite::memory:")
            .connect_timeout(Duration::MAX);
        assert!(open_single::<sqlx::Sqlite>(&source).await.is_ok());
    }
}
