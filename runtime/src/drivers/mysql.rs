//! MySQL and MariaDB.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{AssertSqlSafe, Database, MySql, MySqlConnection, Row as _};

use super::{Driver, connection, driver, errors};
use crate::guard::Load;
use crate::{Credentials, Error, Source, sandbox};

driver!(MySql, MySqlConnection);

impl Driver for MySql {
    fn options(url: &str, source: &Source) -> Result<MySqlConnectOptions, Error> {
        errors::expect_scheme(url, Self::URL_SCHEMES, source)?;
        MySqlConnectOptions::from_str(url).map_err(|error| errors::malformed(&error, source))
    }

    fn sign_in(
        options: MySqlConnectOptions,
        credentials: &Credentials,
    ) -> Option<MySqlConnectOptions> {
        // RDS asks for an IAM token in clear text, which is for an encrypted connection only.
        let is_encrypted = matches!(
            options.get_ssl_mode(),
            MySqlSslMode::Required | MySqlSslMode::VerifyCa | MySqlSslMode::VerifyIdentity
        );
        Some(
            options
                .username(credentials.user())
                .password(credentials.password())
                .enable_cleartext_plugin(is_encrypted),
        )
    }

    fn is_by_socket(options: &MySqlConnectOptions) -> bool {
        options.get_socket().is_some()
    }

    fn host(options: &MySqlConnectOptions) -> Option<String> {
        let is_verified = matches!(options.get_ssl_mode(), MySqlSslMode::VerifyIdentity);
        (!Self::is_by_socket(options) && !is_verified).then(|| options.get_host().to_owned())
    }

    fn at(options: MySqlConnectOptions, address: IpAddr) -> MySqlConnectOptions {
        options.host(&address.to_string())
    }

    fn idle_limit(source: &Source) -> Option<String> {
        wait_timeout(source)
    }

    fn set_up(source: &Source) -> Option<String> {
        let reaps = source.guard.is_some_and(|guard| guard.reap.is_some());
        let name = sandbox::lock_name().filter(|_| reaps)?;
        Some(mark_as(&name))
    }

    async fn execute(connection: &mut MySqlConnection, sql: String) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(connection)
            .await
            .map(drop)
    }

    /// A ROLLBACK: it does nothing where no transaction is open, and ends one that a handler began
    /// with SQL of its own.
    async fn check(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        sqlx::raw_sql("rollback")
            .execute(connection)
            .await
            .map(drop)
    }

    async fn check_writer(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
        // To the end of the answer, which one row would not be.
        let answer = sqlx::raw_sql(ROLLBACK_AND_READ_ONLY)
            .fetch_all(connection)
            .await?;
        let row = answer.first().ok_or(sqlx::Error::RowNotFound)?;
        errors::expect_writes(row.try_get::<i64, _>(0)? != 0)
    }

    async fn reset(session: &mut MySqlConnection, source: &Source) -> Result<(), sqlx::Error> {
        let question = if source.read_write {
            ROLLBACK_AND_READ_ONLY
        } else {
            "rollback"
        };
        let mut sql = format!("{question}; {RESET}");
        if let Some(set_up) = connection::set_up_sql::<Self>(source) {
            sql.push_str("; ");
            sql.push_str(&set_up);
        }
        let answer = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(session).await?;
        if source.read_write {
            let row = answer.first().ok_or(sqlx::Error::RowNotFound)?;
            return errors::expect_writes(row.try_get::<i64, _>(0)? != 0);
        }
        Ok(())
    }

    async fn load(connection: &mut MySqlConnection) -> Result<Option<Load>, sqlx::Error> {
        let answer = sqlx::raw_sql(LOAD).fetch_all(connection).await?;
        let [status, row] = answer.as_slice() else {
            return Err(sqlx::Error::RowNotFound);
        };
        let connected = status.try_get::<String, _>(1)?.parse().unwrap_or(0);
        let count = |n| {
            row.try_get::<i64, _>(n)
                .map(|count| count.try_into().unwrap_or(0))
        };
        let server = Load {
            used: connected,
            most: count(0)?,
            ours: count(2)?,
        };
        let user = Load {
            used: server.ours,
            most: count(1)?,
            ours: server.ours,
        };
        // What is nearer to its limit tells.
        let is_user_limited = user.most > 0
            && u128::from(user.used) * u128::from(server.most)
                > u128::from(server.used) * u128::from(user.most);
        Ok(Some(if is_user_limited { user } else { server }))
    }

    async fn reap(
        connection: &mut MySqlConnection,
        idle: Duration,
        most: u64,
    ) -> Result<u64, sqlx::Error> {
        let Some(name) = sandbox::lock_name() else {
            return Ok(0);
        };
        let turn: Option<i64> = sqlx::raw_sql(AssertSqlSafe(format!(
            "select get_lock('{name}/reaper', 0)"
        )))
        .fetch_all(&mut *connection)
        .await?
        .first()
        .map_or(Ok(None), |row| row.try_get(0))?;
        if turn != Some(1) {
            return Ok(0);
        }
        let mut ended = 0;
        let mut seen = String::from("0");
        // Each is looked for anew, as KILL takes no condition: it may have woken up meanwhile.
        for _ in 0..most {
            let sql = format!(
                "select cast(p.id as signed) from information_schema.processlist p \
                 left join information_schema.innodb_trx t on t.trx_mysql_thread_id = p.id \
                 where p.user = substring_index(user(), '@', 1) and p.db <=> database() \
                    and p.command = 'Sleep' and p.time >= {} and t.trx_id is null \
                    and p.id <> connection_id() and is_used_lock(concat('{name}/', p.id)) = p.id \
                    and p.id not in ({seen}) order by p.time desc limit 1",
                idle.as_secs()
            );
            let oldest = sqlx::raw_sql(AssertSqlSafe(sql))
                .fetch_all(&mut *connection)
                .await?;
            let Some(oldest) = oldest.first() else {
                break;
            };
            let session: i64 = oldest.try_get(0)?;
            let kill = AssertSqlSafe(format!("kill {session}"));
            // One that has just ended by itself is no session any more (1094).
            let result = sqlx::raw_sql(kill).execute(&mut *connection).await;
            ended += u64::from(result.is_ok());
            seen.push_str(&format!(",{session}"));
        }
        let release = format!("do release_lock('{name}/reaper')");
        sqlx::raw_sql(AssertSqlSafe(release))
            .execute(connection)
            .await?;
        Ok(ended)
    }
}

/// As far as SQL goes: variables and temporary tables stay.
const RESET: &str = "unlock tables; do release_all_locks()";

/// A limit of 0 is none. Other users' sessions are in the list for those only who may see them.
const LOAD: &str = "show global status like 'Threads_connected'; \
    select cast(@@max_connections as signed), cast(@@max_user_connections as signed), \
        (select count(*) from information_schema.processlist \
            where user = substring_index(user(), '@', 1))";

/// Says whose the session is: its function holds the lock, under the session's number.
fn mark_as(name: &str) -> String {
    format!("do get_lock(concat('{name}/', connection_id()), 0)")
}

/// A ROLLBACK, and whether the server takes no writes: a replica, or an engine that was told so.
pub(super) const ROLLBACK_AND_READ_ONLY: &str =
    "rollback; select cast(@@global.read_only or @@global.innodb_read_only as signed)";

/// Makes the server end an idle session by itself.
pub(super) fn wait_timeout(source: &Source) -> Option<String> {
    // The server takes no more than a year.
    let seconds = source.idle_session_timeout?.as_secs().clamp(1, 31_536_000);
    Some(format!("set session wait_timeout = {seconds}"))
}
