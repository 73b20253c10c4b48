//! SQLite.

use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Database, Sqlite, SqliteConnection};

use super::{Driver, driver, error, sqlite_end};
use crate::connect::SessionId;
use crate::drivers::database_url::expect_scheme;
use crate::environment;
use crate::error::Error;
use crate::invocation;
use crate::source::Source;
use crate::telemetry::{HandlerName, events};

driver!(Sqlite, SqliteConnection);

/// The longest wait for a lock, sqlx's default.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

impl Driver for Sqlite {
    fn options(url: &str, source: &Source) -> Result<SqliteConnectOptions, Error> {
        expect_scheme(url, Self::URL_SCHEMES, source)?;
        let options = SqliteConnectOptions::from_str(url);
        let options = options.map_err(|error| error::malformed(error, source))?;
        Ok(match invocation::time_out() {
            // So the handler gets the error "database is locked" before its deadline.
            Some(time_out) => options.busy_timeout(BUSY_TIMEOUT.min(time_out * 3 / 4)),
            None => options,
        })
    }

    async fn execute(connection: &mut SqliteConnection, sql: String) -> Result<(), sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        sql.execute(connection).await.map(drop)
    }

    async fn identify(connection: &mut SqliteConnection) -> Result<Option<SessionId>, sqlx::Error> {
        sqlite_end::identify(connection).await.map(Some)
    }

    async fn end_session(_: &Source, session: SessionId) -> Result<(), Error> {
        sqlite_end::end(session).await;
        Ok(())
    }

    async fn check(connection: &mut SqliteConnection, source: &Source) -> Result<(), sqlx::Error> {
        Self::inspect(connection, source).await.map(drop)
    }

    async fn inspect(connection: &mut SqliteConnection, _: &Source) -> Result<bool, sqlx::Error> {
        rolled_back(sqlx::raw_sql("rollback").execute(connection).await)
    }

    /// Performs a health check, because there is no wire to spare. SQLite's thread answers within
    /// microseconds, unless it is busy with a query that was cut off.
    async fn quiesce(
        connection: &mut SqliteConnection,
        source: &Source,
    ) -> Result<(), sqlx::Error> {
        if Self::inspect(connection, source).await? {
            events::left_open(&environment::function(), HandlerName::UNKNOWN);
        }
        Ok(())
    }
}

/// Returns `false` for SQLite's error (code 1) of a ROLLBACK without a transaction.
pub(super) fn rolled_back<T>(result: Result<T, sqlx::Error>) -> Result<bool, sqlx::Error> {
    match result {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("1") => Ok(false),
        result => result.map(|_| true),
    }
}
