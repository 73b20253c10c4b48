//! MySQL and MariaDB.

use std::net::IpAddr;
use std::str::FromStr;

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{
    AssertSqlSafe, ColumnIndex, Connection as _, Database, Decode, Executor, MySql,
    MySqlConnection, Row as _, Transaction, Type,
};

use super::session::{self, outside_transaction};
use super::{Driver, driver, error};
use crate::connect::Reset;
use crate::error::Error;
use crate::source::{Credentials, ServerLoad, Source};

driver!(MySql, MySqlConnection);

/// A health check. It does nothing outside a transaction, and ends one that a handler began with
/// SQL of its own.
const CHECK: &str = "rollback";

/// A health check that also returns whether the server is read-only: a replica, or set to
/// read-only.
const CHECK_WRITER: &str = "rollback; \
    select cast(@@global.read_only or @@global.innodb_read_only as signed)";

/// Resets a session as far as SQL can. Variables and temporary tables stay.
const RESET: &str = "unlock tables; do release_all_locks()";

/// Releases the named locks of a session. A handler that succeeded may have left some.
const RELEASE_LOCKS: &str = "do release_all_locks()";

/// Begins a transaction, and marks it with a savepoint.
///
/// A deadlock rolls back the whole transaction, and the statements after it run outside of any. A
/// statement such as CREATE TABLE commits it. Either removes the savepoint.
pub(super) const BEGIN: &str = "begin; savepoint reuse_db";

/// Commits a transaction that has not ended before. Otherwise it fails with 1305.
pub(super) const COMMIT: &str = "release savepoint reuse_db; commit";

/// Returns the server's connections, its limit, the user's limit, and the user's connections.
///
/// A limit of 0 is no limit. The list of processes shows other users' sessions only with the
/// right `PROCESS`.
const LOAD: &str = include_str!("sql/mysql_load.sql");

impl Driver for MySql {
    const COUNTS_ABORTED_HANDSHAKES: bool = true;

    fn options(url: &str, source: &Source) -> Result<MySqlConnectOptions, Error> {
        error::expect_scheme(url, Self::URL_SCHEMES, source)?;
        MySqlConnectOptions::from_str(url).map_err(|error| error::malformed(error, source))
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

    fn host(options: &MySqlConnectOptions) -> Option<String> {
        let is_verified = matches!(options.get_ssl_mode(), MySqlSslMode::VerifyIdentity);
        (!Self::uses_path(options) && !is_verified).then(|| options.get_host().to_owned())
    }

    fn with_host(options: MySqlConnectOptions, address: IpAddr) -> MySqlConnectOptions {
        options.host(&address.to_string())
    }

    /// The server accepts whole seconds, up to a year.
    fn idle_limit_sql(source: &Source) -> Option<String> {
        let seconds = source.idle_session_timeout?.as_secs().clamp(1, 31_536_000);
        Some(format!("set session wait_timeout = {seconds}"))
    }

    async fn execute(connection: &mut MySqlConnection, sql: String) -> Result<(), sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        sql.execute(connection).await.map(drop)
    }

    async fn check(connection: &mut MySqlConnection, source: &Source) -> Result<(), sqlx::Error> {
        probe_session::<Self>(connection, source, None).await
    }

    async fn reset(
        connection: &mut MySqlConnection,
        source: &Source,
    ) -> Result<Reset, sqlx::Error> {
        let set_up = session::set_up_sql::<Self>(source);
        reset::<Self>(connection, source, set_up).await
    }

    async fn inspect(connection: &mut MySqlConnection, _: &Source) -> Result<bool, sqlx::Error> {
        inspect::<Self>(connection).await
    }

    async fn begin<'c>(
        connection: &'c mut MySqlConnection,
        _: &Source,
    ) -> Result<Transaction<'c, Self>, sqlx::Error> {
        connection.begin_with(BEGIN).await
    }

    async fn commit(mut transaction: Transaction<'_, Self>) -> Result<(), sqlx::Error> {
        Self::execute(&mut transaction, COMMIT.to_owned()).await
    }

    async fn server_load(
        connection: &mut MySqlConnection,
        _: &Source,
    ) -> Result<Option<ServerLoad>, sqlx::Error> {
        let answer = sqlx::raw_sql(LOAD).fetch_all(connection).await?;
        let [status, row] = answer.as_slice() else {
            return Err(sqlx::Error::RowNotFound);
        };
        let connected = status.try_get::<String, _>(1)?.parse().unwrap_or(0);
        let count = |n| {
            row.try_get::<i64, _>(n)
                .map(|count| count.try_into().unwrap_or(0))
        };
        let server = ServerLoad {
            connections: connected,
            limit: count(0)?,
            own: count(2)?,
        };
        let user = ServerLoad {
            connections: server.own,
            limit: count(1)?,
            own: server.own,
        };
        // The one that is nearer to its limit counts.
        let is_user_fuller = user.limit > 0
            && u128::from(user.connections) * u128::from(server.limit)
                > u128::from(server.connections) * u128::from(user.limit);
        Ok(Some(if is_user_fuller { user } else { server }))
    }
}

/// Resets a session as far as SQL can, for this driver and for `AnyConnection`.
pub(super) async fn reset<DB>(
    connection: &mut DB::Connection,
    source: &Source,
    set_up: Option<String>,
) -> Result<Reset, sqlx::Error>
where
    DB: Database,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'r> i64: Decode<'r, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    let mut reset = RESET.to_owned();
    if let Some(set_up) = set_up {
        reset.push_str("; ");
        reset.push_str(&set_up);
    }
    probe_session::<DB>(connection, source, Some(reset)).await?;
    Ok(Reset::Partial)
}

/// Ends what a handler left behind that succeeded, for this driver and for `AnyConnection`.
pub(super) async fn inspect<DB: Driver>(
    connection: &mut DB::Connection,
) -> Result<bool, sqlx::Error> {
    match outside_transaction::<DB>(connection, RELEASE_LOCKS).await {
        // MariaDB before 10.5 does not know the function.
        Err(error) if error::is_rejection(&error) => {
            outside_transaction::<DB>(connection, "do 0").await
        }
        result => result,
    }
}

/// Performs the health check, and runs the SQL in `more` in the same round trip.
pub(super) async fn probe_session<DB>(
    connection: &mut DB::Connection,
    source: &Source,
    more: Option<String>,
) -> Result<(), sqlx::Error>
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
        return error::expect_writes(row.try_get::<i64, _>(0)? != 0);
    }
    Ok(())
}
