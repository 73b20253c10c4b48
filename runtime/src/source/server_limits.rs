//! The limits that the server is asked to enforce on a session, so that nothing outlives its
//! invocation there.

use std::time::Duration;

use super::Source;
use crate::environment;
use crate::invocation;

/// The time by which a limit exceeds the function's time-out. Lambda ends the process first.
const BEYOND_TIME_OUT: Duration = Duration::from_secs(1);

/// The longest time-out of a function.
const LONGEST_TIME_OUT: Duration = Duration::from_secs(15 * 60);

/// The shortest default of the idle limit.
const IDLE: Duration = Duration::from_secs(300);

/// A setting of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ServerLimit {
    /// Follows the function's time-out.
    OfFunction,
    Set(Duration),
    /// Leaves the server's setting.
    Off,
}

impl ServerLimit {
    pub(super) const fn of(limit: Duration) -> Self {
        if limit.is_zero() {
            Self::Off
        } else {
            Self::Set(limit)
        }
    }

    fn or(self, default: impl FnOnce() -> Option<Duration>) -> Option<Duration> {
        match self {
            Self::OfFunction => default(),
            Self::Set(limit) => Some(limit),
            Self::Off => None,
        }
    }
}

/// Returns a limit slightly above the function's time-out. `None` if that is unknown, as in the
/// initialization, or if Lambda enforces none because it runs several invocations at once.
fn of_function() -> Option<Duration> {
    let time_out = invocation::time_out().filter(|_| environment::concurrency() == 1)?;
    // Whole seconds: the time-out is measured, and each connection gets the same limit.
    Some(Duration::from_secs(time_out.as_secs_f64().round() as u64) + BEYOND_TIME_OUT)
}

/// Returns an idle limit that suits each function on Lambda.
fn without_time_out() -> Option<Duration> {
    environment::is_lambda().then_some(LONGEST_TIME_OUT + BEYOND_TIME_OUT)
}

impl Source {
    /// Sets the idle time after which the server ends a session. A destroyed sandbox then holds no
    /// session for ever. In whole seconds on MySQL and MariaDB. Default: 300 s, or the function's
    /// time-out plus 1 s if that is longer. A handler may pause for as long between two statements.
    /// While the time-out is unknown, the default is 901 s on Lambda.
    ///
    /// PostgreSQL 14 and later get it as a start-up parameter, MySQL and MariaDB as
    /// `wait_timeout`. If a server or proxy rejects it, connecting is repeated without it. That is
    /// remembered for the target and logged once. A load query shortens it where the server has
    /// little room, see [Fleets](crate::docs::fleets#the-idle-limit). On MySQL and MariaDB a
    /// stricter `wait_timeout` stays.
    ///
    /// [`Duration::ZERO`] leaves the server's setting. On MySQL and MariaDB it also turns off the
    /// KILL of an abandoned statement, and the limits of statements and transactions, unless they
    /// are set. Use it behind RDS Proxy for MySQL, which pins a session that sets a variable. RDS
    /// Proxy for PostgreSQL rejects the parameter and ends idle clients by itself.
    #[must_use]
    pub const fn idle_session_timeout(mut self, idle: Duration) -> Self {
        self.idle_session_timeout = ServerLimit::of(idle);
        self
    }

    /// Sets the time after which the server ends a statement. Its error is 57014 of PostgreSQL,
    /// 1969 of MariaDB, and 3024 of MySQL. Default: the function's time-out plus 1 s, because no
    /// statement is of use after its invocation.
    ///
    /// PostgreSQL gets it as the start-up parameter `statement_timeout`, without a round trip.
    /// MariaDB gets it as `max_statement_time`, and MySQL as `max_execution_time`, which limits
    /// SELECT only. Both also get it as the limit of a wait for a lock, whose error is 1205. There
    /// a stricter setting stays. So does a stricter one of PostgreSQL's role or database, once a
    /// sandbox has found it, after its first response.
    ///
    /// `options` in the URL and [`on_connect`](Self::on_connect) replace it.
    /// [`Duration::ZERO`] leaves the server's setting. By default nothing is set while the time-out
    /// is unknown, as under a plain `lambda_http::run`. Where Lambda runs several invocations at
    /// once, nothing is set either.
    ///
    /// PostgreSQL 17 and later also limit a whole transaction to the function's time-out plus 1 s
    /// (`transaction_timeout`), unless this or
    /// [`idle_in_transaction_timeout`](Self::idle_in_transaction_timeout) is set. By default that
    /// limit ends the session, in place of this error.
    #[must_use]
    pub const fn statement_timeout(mut self, limit: Duration) -> Self {
        self.statement_timeout = ServerLimit::of(limit);
        self
    }

    /// Sets the time after which the server ends a session that is idle in a transaction. So the
    /// locks of a sandbox that died in a transaction are released. Default: the function's time-out
    /// plus 1 s.
    ///
    /// PostgreSQL gets it as the start-up parameter `idle_in_transaction_session_timeout`, and
    /// MariaDB as `idle_transaction_timeout`. MySQL has no such limit: there a `&mut Transaction`
    /// shortens `wait_timeout` from its BEGIN to its COMMIT. Everything else is as for
    /// [`statement_timeout`](Self::statement_timeout).
    #[must_use]
    pub const fn idle_in_transaction_timeout(mut self, limit: Duration) -> Self {
        self.idle_in_transaction_timeout = ServerLimit::of(limit);
        self
    }

    /// Sets the interval at which PostgreSQL 14 and later look, during a statement, for a client
    /// that has hung up. So the server ends an abandoned statement. It is the start-up parameter
    /// `client_connection_check_interval`. Default: 100 ms. [`Duration::ZERO`] leaves the server's
    /// setting.
    #[must_use]
    pub const fn connection_check_interval(mut self, interval: Duration) -> Self {
        self.connection_check_interval = if interval.is_zero() {
            None
        } else {
            Some(interval)
        };
        self
    }
}

impl Source {
    /// Returns the time after which the server ends a statement.
    pub(crate) fn statement_limit(&self) -> Option<Duration> {
        self.statement_timeout.or(of_function)
    }

    /// Returns the time after which the server ends a session that is idle in a transaction.
    pub(crate) fn transaction_limit(&self) -> Option<Duration> {
        self.idle_in_transaction_timeout.or(of_function)
    }

    /// Returns the time after which the server ends a transaction, whatever it does. `None` if the
    /// source sets another limit of statements or transactions.
    #[cfg(feature = "_postgres")]
    pub(crate) fn whole_transaction_limit(&self) -> Option<Duration> {
        of_function().filter(|_| self.follows_function())
    }

    /// Returns `true` if the source sets neither the limit of a statement nor that of a
    /// transaction.
    #[cfg(any(feature = "_postgres", feature = "_mysql"))]
    pub(crate) fn follows_function(&self) -> bool {
        self.statement_timeout == ServerLimit::OfFunction
            && self.idle_in_transaction_timeout == ServerLimit::OfFunction
    }

    /// Returns the time after which the server ends an idle session.
    pub(crate) fn idle_limit(&self) -> Option<Duration> {
        self.idle_session_timeout.or(|| {
            let limit = of_function().or_else(without_time_out);
            Some(limit.unwrap_or(IDLE).max(IDLE))
        })
    }

    /// Returns the idle limits that a connection may have got: in an invocation, and in the
    /// initialization.
    #[cfg(feature = "_postgres")]
    pub(crate) fn idle_limits_at_connect(&self) -> [Duration; 2] {
        let limit = self.idle_limit().unwrap_or(IDLE);
        [limit, without_time_out().unwrap_or(limit)]
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::invocation::{INVOCATION, Invocation};

    const SOURCE: Source = Source::env("REUSE_DB_NO_SUCH_VARIABLE");

    #[tokio::test(start_paused = true)]
    async fn the_limits_follow_the_functions_time_out() {
        let seconds = Duration::from_secs;
        assert_eq!(SOURCE.statement_limit(), None);
        assert_eq!(SOURCE.idle_limit(), Some(seconds(300)));
        for (time_out, limit, idle) in [(3, 4, 300), (29, 30, 300), (900, 901, 901)] {
            // Lambda's deadline is a little earlier than the time-out after the event.
            let deadline = Instant::now() + seconds(time_out) - Duration::from_millis(3);
            INVOCATION.sync_scope(Invocation::new(Some(deadline)), || {
                assert_eq!(SOURCE.statement_limit(), Some(seconds(limit)));
                assert_eq!(SOURCE.transaction_limit(), Some(seconds(limit)));
                assert_eq!(SOURCE.idle_limit(), Some(seconds(idle)));
            });
        }
    }

    #[test]
    fn a_limit_can_be_set_and_turned_off() {
        let seconds = Duration::from_secs;
        let set = SOURCE
            .statement_timeout(seconds(1))
            .idle_in_transaction_timeout(seconds(2))
            .idle_session_timeout(seconds(3));
        assert_eq!(set.statement_limit(), Some(seconds(1)));
        assert_eq!(set.transaction_limit(), Some(seconds(2)));
        assert_eq!(set.idle_limit(), Some(seconds(3)));
        let off = set
            .statement_timeout(Duration::ZERO)
            .idle_in_transaction_timeout(Duration::ZERO)
            .idle_session_timeout(Duration::ZERO);
        assert_eq!(off.statement_limit(), None);
        assert_eq!(off.transaction_limit(), None);
        assert_eq!(off.idle_limit(), None);
    }
}
