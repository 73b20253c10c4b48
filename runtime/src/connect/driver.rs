//! The extras of this crate's drivers, beyond what a user's client implements.

use std::time::Duration;

use lambda_http::BoxFuture;

use super::{Attempt, Connect, Link, SessionId};
use crate::error::Error;
use crate::response::Outcome;
use crate::source::{ServerLoad, Source};

/// The extras of a driver. Sealed: its module is private, and only the crate's drivers
/// implement it.
pub(crate) trait DriverConnect: Connect {
    /// `true` for a connection, which is for one invocation at a time and taken as `&mut`;
    /// `false` for a pool, which is taken as `&` or by value.
    const IS_EXCLUSIVE: bool;

    /// Returns `true` if a session after [`reset`](Self::reset) equals a new one.
    fn resets_all(_source: &Source) -> bool {
        false
    }
    /// `true` if the server counts a handshake that the client ends in the middle, and blocks the
    /// client's host for it.
    const COUNTS_ABORTED_HANDSHAKES: bool = false;

    /// Opens a connection, with the attempt's credentials and address.
    fn connect_attempt<'a>(source: &'a Source, attempt: &'a Attempt) -> Answer<'a, (Self, Link)>;

    /// Ends a session of the source's user, on a connection of its own.
    fn end_session(_source: &Source, _session: SessionId) -> Answer<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Returns `true` if an idle connection or value needs a health check before it is used again.
    /// It is called for each lease, and must not wait.
    fn is_doubtful(&self) -> bool {
        false
    }

    /// Returns `true` if a statement on a value's connections was abandoned, and may still run at
    /// the server.
    fn has_abandoned(_source: &Source) -> bool {
        false
    }

    /// Ends the sessions of a value whose statements the last invocation has abandoned, if the
    /// server does not notice that by itself. Does nothing once `unused` returns `false`.
    fn end_abandoned(&self, _source: &Source, _unused: Unused) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Shuts the sockets of a value down whose connections do not return to it.
    fn shut_down(&self, _source: &Source) {}

    /// Performs a health check after an invocation, and resets the session.
    fn reset<'a>(&'a mut self, source: &'a Source) -> Answer<'a, Reset> {
        Box::pin(async { self.check(source).await.map(|()| Reset::Partial) })
    }

    /// `true` if [`inspect`](Self::inspect) looks for something.
    const INSPECTS: bool = false;

    /// Ends what a handler left behind that succeeded. Returns `true` if that was a transaction.
    fn inspect<'a>(&'a mut self, _source: &'a Source) -> Answer<'a, bool> {
        Box::pin(std::future::ready(Ok(false)))
    }

    /// Returns the outcome of an invocation, by the one that the handler's error stands for, and by
    /// what the server has answered.
    fn outcome(&self, outcome: Outcome) -> Outcome {
        outcome
    }

    /// Returns an error if the connection must not be used outside a transaction.
    fn expect_own_session(_source: &Source) -> Result<(), Error> {
        Ok(())
    }

    /// Closes the prepared statements of a session, and forgets what is known of them and of types.
    ///
    /// # Errors
    ///
    /// On any error the connection is dropped.
    fn clear(&mut self) -> Answer<'_, ()> {
        let cause = "its prepared statements cannot be closed";
        Box::pin(std::future::ready(Err(Error::broken(cause))))
    }

    /// Cures the connections of a value that opens connections by itself, after an invocation that
    /// failed. The future does not keep the value in use.
    fn recover(&self, _source: &Source, _cure: Cure) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    /// Asks the server for its load, and sets its limit for the idle time of this session by it.
    /// The limit is `least_idle` at the threshold, and the source's where there is room.
    ///
    /// Returns `None` if the server does not report its load.
    fn server_load<'a>(
        &'a mut self,
        _source: &'a Source,
        _least_idle: Duration,
    ) -> Answer<'a, Option<ServerLoad>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Takes the number of connections that a value has opened by itself since this was called
    /// last.
    fn take_opened(&self, _source: &Source) -> usize {
        0
    }

    /// Returns the number of a value's idle connections.
    fn idle_connections(&self) -> usize {
        0
    }

    /// Inspects a value's idle connections if `inspects` is true. Asks the server for its load on
    /// one of them, as [`server_load`](Self::server_load) does, unless `least_idle` is `None`.
    fn tend(
        &self,
        _source: &Source,
        _inspects: bool,
        _least_idle: Option<Duration>,
    ) -> SharedAnswer {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Closes up to `most` idle connections of a value. Returns the numbers of those that were
    /// closed and of those that are still open.
    fn close_idle(&self, _source: &Source, _most: usize) -> BoxFuture<'static, (usize, usize)> {
        Box::pin(std::future::ready((0, 0)))
    }

    /// Renews the connect options of a value that opens connections by itself, if its source has
    /// others by now.
    fn renew<'a>(&'a self, _source: &'a Source) -> Answer<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// The extent of a reset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reset {
    /// The session equals a new one.
    Complete,
    /// The handler has changed nothing that the driver can see, and SQL cannot reset the rest.
    Partial,
    /// The handler has changed what SQL cannot reset. A new connection must replace this one.
    Changed,
}

/// The treatment of a connection after an invocation, the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cure {
    /// The session is reset.
    Reset,
    /// The session is reset, and its prepared statements are closed.
    Clear,
    /// The connection is closed.
    Replace,
}

/// The methods of a driver as function pointers.
///
/// The pool is generic over [`Connect`]. Stable Rust has no specialization, so the pool finds a
/// driver's extras in this table, [`Connect::DRIVER`]. A user's client has none.
#[allow(missing_debug_implementations, reason = "not part of the API")]
pub struct Driver<C> {
    pub(crate) is_exclusive: bool,
    pub(crate) resets_all: fn(&Source) -> bool,
    pub(crate) counts_aborted_handshakes: bool,
    pub(crate) connect: for<'a> fn(&'a Source, &'a Attempt) -> Answer<'a, (C, Link)>,
    pub(crate) end_session: fn(&Source, SessionId) -> Answer<'_, ()>,
    pub(crate) is_doubtful: fn(&C) -> bool,
    pub(crate) has_abandoned: fn(&Source) -> bool,
    pub(crate) end_abandoned: fn(&C, &Source, Unused) -> BoxFuture<'static, ()>,
    pub(crate) shut_down: fn(&C, &Source),
    pub(crate) reset: for<'a> fn(&'a mut C, &'a Source) -> Answer<'a, Reset>,
    pub(crate) inspects: bool,
    pub(crate) inspect: for<'a> fn(&'a mut C, &'a Source) -> Answer<'a, bool>,
    pub(crate) outcome: fn(&C, Outcome) -> Outcome,
    pub(crate) expect_own_session: fn(&Source) -> Result<(), Error>,
    pub(crate) server_load:
        for<'a> fn(&'a mut C, &'a Source, Duration) -> Answer<'a, Option<ServerLoad>>,
    pub(crate) take_opened: fn(&C, &Source) -> usize,
    pub(crate) idle_connections: fn(&C) -> usize,
    pub(crate) tend: fn(&C, &Source, bool, Option<Duration>) -> SharedAnswer,
    pub(crate) close_idle: fn(&C, &Source, usize) -> BoxFuture<'static, (usize, usize)>,
    pub(crate) clear: fn(&mut C) -> Answer<'_, ()>,
    pub(crate) recover: fn(&C, &Source, Cure) -> BoxFuture<'static, ()>,
    pub(crate) renew: for<'a> fn(&'a C, &'a Source) -> Answer<'a, ()>,
}

/// Returns `true` while no invocation has used a value since the last one has released it.
pub(crate) type Unused = Box<dyn Fn() -> bool + Send + Sync>;

/// The answer to a load query on a connection of a shared value.
type SharedAnswer = Answer<'static, Option<ServerLoad>>;

/// A future that resolves to `T` or an error.
pub(crate) type Answer<'a, T> = BoxFuture<'a, Result<T, Error>>;

impl<C> Driver<C> {
    /// Returns the table of a driver's type.
    pub(crate) const fn of() -> Self
    where
        C: DriverConnect,
    {
        Self {
            is_exclusive: C::IS_EXCLUSIVE,
            resets_all: C::resets_all,
            counts_aborted_handshakes: C::COUNTS_ABORTED_HANDSHAKES,
            connect: C::connect_attempt,
            end_session: C::end_session,
            is_doubtful: C::is_doubtful,
            has_abandoned: C::has_abandoned,
            end_abandoned: C::end_abandoned,
            shut_down: C::shut_down,
            reset: C::reset,
            inspects: C::INSPECTS,
            inspect: C::inspect,
            outcome: C::outcome,
            expect_own_session: C::expect_own_session,
            clear: C::clear,
            recover: C::recover,
            server_load: C::server_load,
            take_opened: C::take_opened,
            idle_connections: C::idle_connections,
            tend: C::tend,
            close_idle: C::close_idle,
            renew: C::renew,
        }
    }
}
