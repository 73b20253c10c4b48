//! MySQL and MariaDB.

mod changes;
pub(super) mod sessions;

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{
    AssertSqlSafe, ColumnIndex, Connection as _, Database, Decode, Executor, MySql,
    MySqlConnection, Row as _, Transaction, Type,
};

use self::changes::Changes;
use super::session::{self, outside_transaction};
use super::{Driver, driver, endpoint, error};
use crate::connect::{Reset, SessionId, Unused};
use crate::drivers::database_url::expect_scheme;
use crate::drivers::driver_error::{DriverError as _, read_only};
use crate::drivers::encryption;
use crate::drivers::idle_limits::{IdleLimits, load_sql};
use crate::drivers::mysql::{
    CHECK, CHECK_WRITER, EXPECT_AUTOCOMMIT, IDLE_LIMIT, LOAD, MOST_IDLE_SECONDS, RELEASE_LOCKS,
    SESSION, and, limits,
};
use crate::error::Error;
use crate::source::{Credentials, ServerLoad, Source};

driver!(MySql, MySqlConnection);

/// Returns SQL that begins a transaction, and marks it with a savepoint.
///
/// A deadlock rolls back the whole transaction, and the statements after it run outside of any. A
/// statement such as CREATE TABLE commits it. Either removes the savepoint.
///
/// The ROLLBACK ends what an earlier handler left behind: a transaction, which BEGIN would commit,
/// and the effect of SET TRANSACTION.
pub(super) fn begin_sql(source: &Source) -> String {
    let limit = limits::shorten_idle_limit(source);
    let statements = [Some("rollback".into()), limit, Some("begin".into())];
    let statements: Vec<_> = statements.into_iter().flatten().collect();
    format!("{}; savepoint reuse_db", statements.join("; "))
}

/// Commits a transaction that has not ended before. Otherwise it fails with 1305.
const COMMIT: &str = "release savepoint reuse_db; commit";

/// Returns SQL that commits a transaction, and undoes what its begin has set.
pub(super) fn commit_sql() -> String {
    and(COMMIT, limits::restore_idle_limit())
}

impl Driver for MySql {
    const COUNTS_ABORTED_HANDSHAKES: bool = true;

    fn options(url: &str, source: &Source) -> Result<MySqlConnectOptions, Error> {
        expect_scheme(url, Self::URL_SCHEMES, source)?;
        let options =
            MySqlConnectOptions::from_str(url).map_err(|error| error::malformed(error, source))?;
        let options = match super::rds_roots::of(url) {
            Some(roots) => options.ssl_ca_from_pem(roots),
            None => options,
        };
        Ok(match endpoint::without_brackets(options.get_host()) {
            Some(address) => options.host(&address),
            None => options,
        })
    }

    /// RDS requires an IAM token in clear text, which is for an encrypted connection only.
    fn with_credentials(
        options: MySqlConnectOptions,
        credentials: &Credentials,
    ) -> Option<MySqlConnectOptions> {
        let is_encrypted = matches!(
            options.get_ssl_mode(),
            MySqlSslMode::Required | MySqlSslMode::VerifyCa | MySqlSslMode::VerifyIdentity
        );
        let options = options
            .username(credentials.user())
            .password(credentials.password());
        Some(options.enable_cleartext_plugin(is_encrypted))
    }

    fn uses_path(options: &MySqlConnectOptions) -> bool {
        options.get_socket().is_some()
    }

    fn port(options: &MySqlConnectOptions) -> Option<u16> {
        (!Self::uses_path(options)).then(|| options.get_port())
    }

    fn failing(options: &MySqlConnectOptions) -> Option<MySqlConnectOptions> {
        Some(options.clone().socket(super::too_long_path()))
    }

    fn host(options: &MySqlConnectOptions) -> Option<String> {
        let is_verified = matches!(options.get_ssl_mode(), MySqlSslMode::VerifyIdentity);
        (!Self::uses_path(options) && !is_verified).then(|| options.get_host().to_owned())
    }

    fn with_host(options: MySqlConnectOptions, address: IpAddr) -> MySqlConnectOptions {
        options.host(&address.to_string())
    }

    fn limits_sql(source: &Source) -> Option<String> {
        limits::sql(source)
    }

    async fn execute(connection: &mut MySqlConnection, sql: String) -> Result<(), sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        sql.execute(connection).await.map(drop)
    }

    async fn check(connection: &mut MySqlConnection, source: &Source) -> Result<(), sqlx::Error> {
        let check = probe_session::<Self>(connection, source, None);
        check.await.map(drop)
    }

    async fn set_up(
        connection: &mut MySqlConnection,
        source: &Source,
        sql: String,
    ) -> Result<Option<SessionId>, sqlx::Error> {
        set_up::<Self>(connection, source, sql).await
    }

    async fn end_session(source: &Source, session: SessionId) -> Result<(), Error> {
        sessions::end::<Self>(source, session).await
    }

    async fn end_busy(
        source: &Source,
        sessions: &[SessionId],
        unused: Unused,
    ) -> Result<(), Error> {
        sessions::end_busy::<Self>(source, sessions, unused).await
    }

    async fn reset(
        connection: &mut MySqlConnection,
        source: &Source,
    ) -> Result<Reset, sqlx::Error> {
        reset::<Self>(connection, source).await
    }

    async fn inspect(
        connection: &mut MySqlConnection,
        source: &Source,
    ) -> Result<bool, sqlx::Error> {
        let found = inspect::<Self>(connection, source).await?;
        if source.read_write {
            Self::check(connection, source).await?;
        }
        Ok(found)
    }

    async fn quiesce(connection: &mut MySqlConnection, source: &Source) -> Result<(), sqlx::Error> {
        quiesce::<Self>(connection, source).await
    }

    async fn begin<'c>(
        connection: &'c mut MySqlConnection,
        source: &Source,
    ) -> Result<Transaction<'c, Self>, sqlx::Error> {
        let begin = AssertSqlSafe(begin_sql(source));
        connection.begin_with(begin).await
    }

    async fn commit(mut transaction: Transaction<'_, Self>) -> Result<(), sqlx::Error> {
        Self::execute(&mut transaction, commit_sql()).await
    }

    async fn server_load(
        connection: &mut MySqlConnection,
        source: &Source,
        least_idle: Duration,
    ) -> Result<Option<ServerLoad>, sqlx::Error> {
        let load = server_load::<Self>(connection, source, least_idle);
        load.await.map(Some)
    }
}

/// Runs the load query, for this driver and for `AnyConnection`.
pub(super) async fn server_load<DB>(
    connection: &mut DB::Connection,
    source: &Source,
    least_idle: Duration,
) -> Result<ServerLoad, sqlx::Error>
where
    DB: Database,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'r> i64: Decode<'r, DB> + Type<DB>,
    for<'r> String: Decode<'r, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    let longest = Duration::from_secs(MOST_IDLE_SECONDS);
    let most = source
        .idle_limit()
        .filter(|_| !source.sets_on_connect("wait_timeout"))
        .map(|most| most.min(longest));
    let idle = IdleLimits::new(least_idle, most, Duration::from_secs(1));
    let sql = match idle {
        Some(_) => format!("{LOAD};\n{IDLE_LIMIT}"),
        None => LOAD.to_owned(),
    };
    let query = sqlx::raw_sql(AssertSqlSafe(load_sql(&sql, source, idle)));
    let answer = query.fetch_all(connection).await?;
    let status = |wanted: &str| {
        let value = |row: &DB::Row| -> Option<u64> {
            let name: String = row.try_get(0).ok()?;
            let value: String = row.try_get(1).ok()?;
            name.eq_ignore_ascii_case(wanted)
                .then(|| value.parse().ok())?
        };
        answer
            .iter()
            .find_map(value)
            .ok_or(sqlx::Error::RowNotFound)
    };
    let row = answer.last().ok_or(sqlx::Error::RowNotFound)?;
    let count = |n: usize| {
        row.try_get::<i64, _>(n)
            .map(|count| u64::try_from(count).unwrap_or(0))
    };
    let newer = status("Connections")?.saturating_sub(count(3)?);
    let load = |connections, limit| ServerLoad {
        connections,
        limit,
        newer,
    };
    let server = load(status("Threads_connected")?, count(0)?);
    let user = load(count(2)?, count(1)?);
    let share = |load: ServerLoad| load.connections as f64 / load.limit as f64;
    let is_user_nearer = user.limit > 0 && share(user) > share(server);
    Ok(if is_user_nearer { user } else { server })
}

/// Sets up a new connection, for this driver and for `AnyConnection`.
///
/// The first one of a source with SQL of its own counts the changes to its session in the same
/// round trip.
pub(super) async fn set_up<DB>(
    connection: &mut DB::Connection,
    source: &Source,
    sql: String,
) -> Result<Option<SessionId>, sqlx::Error>
where
    DB: Driver,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'r> String: Decode<'r, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    let changes = Changes::of_set_up(source);
    let counts = changes == Changes::Unknown;
    // Without limits the source may be behind RDS Proxy, whose sessions clients share.
    let identifies = changes != Changes::Uncounted && limits::has_any(source);
    // A line break, because the SQL may end with a comment.
    let mut asking = format!("{sql}\n");
    if identifies {
        asking += &format!("; {SESSION}");
    }
    if counts {
        asking += &format!("; {}", changes::COUNT);
    }
    let asked = sqlx::raw_sql(AssertSqlSafe(asking));
    match asked.fetch_all(&mut *connection).await {
        Ok(answer) => {
            if counts {
                let counted = changes::counted::<DB>(&answer);
                changes::remember(source, Changes::Known(counted));
            }
            Ok(sessions::id::<DB>(&answer, source))
        }
        // Some compatible servers answer neither.
        Err(error) if (counts || identifies) && error.is_rejection() => {
            DB::execute(connection, sql).await?;
            changes::remember(source, Changes::Uncounted);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Resets a session as far as SQL can, and finds out whether the rest has changed. For this driver
/// and for `AnyConnection`.
pub(super) async fn reset<DB>(
    connection: &mut DB::Connection,
    source: &Source,
) -> Result<Reset, sqlx::Error>
where
    DB: Driver,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'r> i64: Decode<'r, DB> + Type<DB>,
    for<'r> String: Decode<'r, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    let expected = Changes::of_set_up(source);
    let reset = and(RELEASE_LOCKS, limits::restore_idle_limit());
    let reset = and(&reset, limits::late_sql(source));
    if expected != Changes::Uncounted {
        let counting = format!("{reset}; {}", changes::COUNT);
        match probe_session::<DB>(connection, source, Some(counting)).await {
            Ok(answer) => {
                let counted = Changes::Known(changes::counted::<DB>(&answer));
                if counted == expected {
                    return Ok(Reset::Partial);
                }
                changes::doubt(source);
                return Ok(Reset::Changed);
            }
            Err(error) if error.is_rejection() => {}
            Err(error) => return Err(error),
        }
    }
    probe_session::<DB>(connection, source, Some(reset)).await?;
    changes::remember(source, Changes::Uncounted);
    Ok(Reset::Partial)
}

/// Sends what is queued and reads what is unread, for this driver and for `AnyConnection`. A queued
/// ROLLBACK is the end of a transaction that may have shortened the idle limit.
pub(super) async fn quiesce<DB: Driver>(
    connection: &mut DB::Connection,
    source: &Source,
) -> Result<(), sqlx::Error> {
    let is_queued = connection.should_flush();
    session::quiesce::<DB>(connection, source).await?;
    match limits::restore_idle_limit() {
        Some(restore) if is_queued => DB::execute(connection, restore).await,
        _ => Ok(()),
    }
}

/// Ends what a handler left behind that succeeded, for this driver and for `AnyConnection`.
pub(super) async fn inspect<DB>(
    connection: &mut DB::Connection,
    source: &Source,
) -> Result<bool, sqlx::Error>
where
    DB: Driver,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'r> String: Decode<'r, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    // A source may turn autocommit off itself.
    let expect = if source.sets_on_connect("autocommit") {
        "select 0"
    } else {
        EXPECT_AUTOCOMMIT
    };
    let expect = and(expect, limits::restore_idle_limit());
    let expect = and(&expect, limits::late_sql(source));
    let sql = format!("{expect}; {RELEASE_LOCKS}");
    let found = outside_transaction::<DB>(connection, &sql).await?;
    inspect_encryption::<DB>(connection, source).await?;
    Ok(found)
}

/// Asks once whether the connection is encrypted. A source without limits may be behind RDS Proxy,
/// which answers for its own connection to the server.
async fn inspect_encryption<DB>(
    connection: &mut DB::Connection,
    source: &Source,
) -> Result<(), sqlx::Error>
where
    DB: Database,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'r> String: Decode<'r, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    if encryption::is_known(source) || !limits::has_any(source) {
        return Ok(());
    }
    let answer = sqlx::raw_sql("show session status like 'Ssl_cipher'")
        .fetch_all(connection)
        .await;
    let is_plain = match answer {
        Ok(rows) => {
            let cipher = rows
                .first()
                .and_then(|row| row.try_get::<String, _>(1).ok());
            cipher.is_some_and(|cipher| cipher.is_empty())
        }
        // A compatible server.
        Err(error) if error.is_rejection() => false,
        Err(error) => return Err(error),
    };
    encryption::remember(source, !is_plain);
    Ok(())
}

/// Performs the health check, and runs the SQL in `more` in the same round trip. Returns all rows.
pub(super) async fn probe_session<DB>(
    connection: &mut DB::Connection,
    source: &Source,
    more: Option<String>,
) -> Result<Vec<DB::Row>, sqlx::Error>
where
    DB: Database,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'r> i64: Decode<'r, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    let mut sql = if source.read_write {
        CHECK_WRITER
    } else {
        CHECK
    }
    .to_owned();
    if let Some(more) = more {
        sql.push_str("; ");
        sql.push_str(&more);
    }
    // Reads the answer to its end, which fetching one row would not.
    let answer = sqlx::raw_sql(AssertSqlSafe(sql))
        .fetch_all(connection)
        .await?;
    if source.read_write {
        let row = answer.first().ok_or(sqlx::Error::RowNotFound)?;
        if row.try_get::<i64, _>(0)? != 0 {
            return Err(read_only().into());
        }
    }
    Ok(answer)
}
