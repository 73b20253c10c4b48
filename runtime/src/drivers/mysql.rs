//! MySQL and MariaDB.

use std::str::FromStr;

use sqlx::mysql::MySqlConnectOptions;
use sqlx::{AssertSqlSafe, Database, MySql, MySqlConnection, Row as _};

use super::{Driver, driver, errors};
use crate::{Error, Source};

driver!(MySql, MySqlConnection);

impl Driver for MySql {
    fn options(url: &str, source: &Source) -> Result<MySqlConnectOptions, Error> {
        errors::expect_scheme(url, Self::URL_SCHEMES, source)?;
        MySqlConnectOptions::from_str(url).map_err(|error| errors::malformed(&error, source))
    }

    fn set_up(source: &Source) -> Option<String> {
        wait_timeout(source)
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
