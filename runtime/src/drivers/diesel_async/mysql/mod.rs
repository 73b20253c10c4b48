//! `AsyncMysqlConnection` on MySQL and MariaDB.
//!
//! diesel-async gives nothing of the connection under it away. So the crate runs its SQL through
//! diesel, and [`watch`] notices what was cut off.

mod open;
mod settings;
mod watch;

use std::fmt;
use std::time::Duration;

use diesel::sql_types::{Nullable, Text};
use diesel_async::{
    AsyncConnection, AsyncMysqlConnection, RunQueryDsl as _, SimpleAsyncConnection as _,
};
use mysql_async::prelude::Queryable as _;

use self::open::MysqlError;
use self::watch::Watch;
use crate::connect::{
    Answer, Attempt, Connect, Driver, DriverConnect, Finish, FromConnection, Link, Reset, SessionId,
};
use crate::drivers::driver_error::DriverError as _;
use crate::drivers::idle_limits::{IdleLimits, load_sql};
use crate::drivers::mysql::{
    CHECK, EXPECT_AUTOCOMMIT, IDLE_LIMIT, MOST_IDLE_SECONDS, RELEASE_LOCKS, and, end_sql, limits,
};
use crate::drivers::{boxed, load, target};
use crate::environment;
use crate::error::Error;
use crate::response::Outcome;
use crate::source::{ServerLoad, Source};
use crate::telemetry::{Counters, HandlerName, events};

/// Fails with 1242, "subquery returns more than 1 row", on a server that accepts no writes. DO
/// would ignore the error.
const EXPECT_WRITES: &str = "select if(lower(concat(@@global.read_only)) not in ('0', 'off') \
    or @@global.innodb_read_only, (select 1 union select 2), 0)";

/// Returns the number of the session's statements that change what SQL cannot reset. The tables of
/// MySQL's `performance_schema` do not have it.
const COUNT: &str = "show session status where variable_name in ('Com_set_option', \
    'Com_change_db', 'Com_prepare_sql', 'Com_create_table', 'Com_create_temporary_table')";

/// Returns the number of those statements that are this crate's.
const OWN_SETS: &str = "select cast(coalesce(@reuse_db_sets, 0) as char) as value";

/// The changes that diesel-async makes to a new session.
const BY_DIESEL: u64 = 4;

/// Returns the server's connections, those since its start, its limit, the user's limit and
/// connections, and the number of this connection. A user's limit of 0 is no limit.
const LOAD: &str = "select cast(concat_ws(',', \
    max(if(variable_name = 'Threads_connected', variable_value, null)), \
    max(if(variable_name = 'Connections', variable_value, null)), \
    @@max_connections, @@max_user_connections, \
    (select count(*) from information_schema.processlist \
        where @@max_user_connections > 0 and user = substring_index(user(), '@', 1)), \
    connection_id()) as char) as value \
    from /*M! information_schema. *//*!50700 performance_schema. */ global_status \
    where variable_name in ('Threads_connected', 'Connections')";

/// A connection that is kept for handlers that take `&mut AsyncMysqlConnection`.
pub struct MysqlSession {
    client: AsyncMysqlConnection,
    watch: Watch,
}

impl fmt::Debug for MysqlSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlSession").finish_non_exhaustive()
    }
}

#[derive(diesel::QueryableByName)]
struct Value {
    #[diesel(sql_type = Nullable<Text>)]
    value: Option<String>,
}

#[derive(diesel::QueryableByName)]
struct Counter {
    #[diesel(sql_type = Text, column_name = "Value")]
    value: String,
}

impl MysqlSession {
    /// Runs SQL, in one round trip.
    async fn run(&mut self, sql: &str) -> Result<(), Error> {
        self.expect_usable()?;
        self.client.batch_execute(sql).await.map_err(Error::broken)
    }

    /// Returns the text that a query returns as its column `value`, in two round trips.
    async fn ask(&mut self, sql: &str) -> Result<Option<String>, diesel::result::Error> {
        let answer = diesel::sql_query(sql).get_result::<Value>(&mut self.client);
        Ok(answer.await?.value)
    }

    fn expect_usable(&self) -> Result<(), Error> {
        match self.watch.defect() {
            Some(defect) => Err(Error::broken(defect)),
            None => Ok(()),
        }
    }

    /// Returns `true` if a statement was cut off, or a transaction is open.
    fn is_unfinished(&self) -> bool {
        self.watch.defect().is_some() || self.watch.is_in_transaction()
    }

    /// Ends the transaction of diesel, or of SQL. Returns `true` if there was one.
    async fn end_transaction(&mut self) -> Result<bool, Error> {
        let was_open = self.watch.is_in_transaction();
        self.run(CHECK).await?;
        self.transaction_ended();
        Ok(was_open)
    }

    /// Makes diesel forget a transaction that has ended.
    fn transaction_ended(&mut self) {
        self.watch.transaction_ended();
        *AsyncConnection::transaction_state(&mut self.client) = Default::default();
    }

    /// Returns `true` if the session has no changes but those of its set-up.
    async fn is_unchanged(&mut self, source: &Source) -> bool {
        if source.on_connect.is_some() {
            return false;
        }
        let has_limits = limits::has_any(source) && !target::rejects_limits(source);
        let Ok(counters) = diesel::sql_query(COUNT)
            .load::<Counter>(&mut self.client)
            .await
        else {
            return false;
        };
        let Ok(own) = self.ask(OWN_SETS).await else {
            return false;
        };
        let number = |text: &str| text.parse::<u64>().ok();
        let counted = counters.iter().filter_map(|counter| number(&counter.value));
        let own = own.as_deref().and_then(number).unwrap_or(0);
        !counters.is_empty() && counted.sum::<u64>() == BY_DIESEL + u64::from(has_limits) + own
    }
}

impl Connect for MysqlSession {
    const DRIVER: Option<Driver<Self>> = Some(Driver::of());

    fn connect(source: &Source) -> impl Future<Output = Result<Self, Error>> + Send {
        boxed(async move {
            let attempt = Attempt::single(source, Counters::of_process()).await?;
            let (connection, _link) = open::open(source, &attempt).await?;
            Ok(connection)
        })
    }

    fn check(&mut self, source: &Source) -> impl Future<Output = Result<(), Error>> + Send {
        let expects_writes = source.read_write;
        boxed(async move {
            self.end_transaction().await?;
            if expects_writes {
                self.run(EXPECT_WRITES).await?;
            }
            Ok(())
        })
    }

    /// Returns `true`, because diesel does not report rows that nobody has read: the socket shows
    /// them.
    fn needs_quiesce(&self) -> bool {
        true
    }

    // Not boxed: it runs after each invocation, and usually ends at its first poll.
    async fn quiesce(&mut self, _: &Source) -> Result<(), Error> {
        if self.is_unfinished() && self.end_transaction().await? {
            events::left_open(&environment::function(), HandlerName::UNKNOWN);
        }
        Ok(())
    }
}

impl DriverConnect for MysqlSession {
    const IS_EXCLUSIVE: bool = true;
    const INSPECTS: bool = true;
    const COUNTS_ABORTED_HANDSHAKES: bool = true;

    fn connect_attempt<'a>(source: &'a Source, attempt: &'a Attempt) -> Answer<'a, (Self, Link)> {
        Box::pin(open::open(source, attempt))
    }

    fn end_session(source: &Source, session: SessionId) -> Answer<'_, ()> {
        Box::pin(async move {
            let attempt = Attempt::single(source, Counters::of_process()).await?;
            let (mut connection, _socket) = open::sign_in(source, &attempt).await?;
            let ended = connection.query_drop(end_sql(session)).await;
            let _ = connection.disconnect().await;
            match ended.map_err(MysqlError) {
                // It has ended by itself, or is none of this server.
                Err(error) if error.is_rejection() => Ok(()),
                ended => ended.map_err(Error::broken),
            }
        })
    }

    /// Returns `true` if a task has used it while it was idle.
    fn is_doubtful(&self) -> bool {
        self.is_unfinished()
    }

    fn reset<'a>(&'a mut self, source: &'a Source) -> Answer<'a, Reset> {
        Box::pin(async {
            self.end_transaction().await?;
            let reset = and(RELEASE_LOCKS, limits::late_sql(source));
            self.run(&reset).await?;
            if source.read_write {
                self.run(EXPECT_WRITES).await?;
            }
            Ok(if self.is_unchanged(source).await {
                Reset::Partial
            } else {
                Reset::Changed
            })
        })
    }

    fn inspect<'a>(&'a mut self, source: &'a Source) -> Answer<'a, bool> {
        Box::pin(async {
            // A source may turn autocommit off itself.
            let expect = if source.sets_on_connect("autocommit") {
                "do 0"
            } else {
                EXPECT_AUTOCOMMIT
            };
            let was_open = self.end_transaction().await?;
            let expect = and(expect, limits::late_sql(source));
            self.run(&format!("{expect}; {RELEASE_LOCKS}")).await?;
            if source.read_write {
                self.run(EXPECT_WRITES).await?;
            }
            Ok(was_open)
        })
    }

    fn server_load<'a>(
        &'a mut self,
        source: &'a Source,
        least_idle: Duration,
    ) -> Answer<'a, Option<ServerLoad>> {
        Box::pin(async move {
            if !load::is_asked(source) {
                return Ok(None);
            }
            self.expect_usable()?;
            let answer = match self.ask(LOAD).await {
                Ok(answer) => answer,
                // A compatible server, or a lost connection, which the next use shows.
                Err(error) => {
                    events::load_unknown(&error);
                    return Ok(None);
                }
            };
            let load = answer.as_deref().and_then(load_of);
            let longest = Duration::from_secs(MOST_IDLE_SECONDS);
            let most = source
                .idle_limit()
                .filter(|_| !source.sets_on_connect("wait_timeout"))
                .map(|most| most.min(longest));
            let idle = IdleLimits::new(least_idle, most, Duration::from_secs(1));
            if load.is_some() && idle.is_some() {
                let limit = load_sql(IDLE_LIMIT, source, idle);
                if let Err(error) = self.client.batch_execute(&limit).await {
                    events::load_unknown(&error);
                }
            }
            Ok(load.filter(|load| load.limit > 0 && load.connections > 0))
        })
    }
}

/// Returns the load by the answer to [`LOAD`]: that of the server, or of the user if that is nearer
/// to its limit.
fn load_of(answer: &str) -> Option<ServerLoad> {
    let numbers: Vec<u64> = answer
        .split(',')
        .filter_map(|text| text.parse().ok())
        .collect();
    let [connections, since_start, limit, user_limit, of_user, number] = numbers[..] else {
        return None;
    };
    let newer = since_start.saturating_sub(number);
    let of = |connections, limit| ServerLoad {
        connections,
        limit,
        newer,
    };
    let (server, user) = (of(connections, limit), of(of_user, user_limit));
    let share = |load: &ServerLoad| load.connections as f64 / load.limit as f64;
    let is_user_nearer = user.limit > 0 && share(&user) > share(&server);
    Some(if is_user_nearer { user } else { server })
}

/// A handler that takes `&mut AsyncMysqlConnection` gets a connection that is kept.
#[diagnostic::do_not_recommend]
impl FromConnection for AsyncMysqlConnection {
    type Connection = MysqlSession;
    type Open<'c> = &'c mut Self;

    const NEEDS_OWN_SESSION: bool = true;

    async fn open<'c>(connection: &'c mut MysqlSession, _: &Source) -> Result<&'c mut Self, Error> {
        // diesel may still count a transaction that has ended.
        connection.transaction_ended();
        Ok(&mut connection.client)
    }
}

#[diagnostic::do_not_recommend]
impl Finish for &mut AsyncMysqlConnection {
    async fn finish(self, _: Outcome) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_is_that_of_the_nearer_limit() {
        let of = |answer| load_of(answer).map(|load| (load.connections, load.limit, load.newer));
        assert_eq!(of("30,108,100,0,0,100"), Some((30, 100, 8)));
        assert_eq!(of("30,108,100,5,4,100"), Some((4, 5, 8)));
        assert_eq!(of("30,108"), None);
    }
}
