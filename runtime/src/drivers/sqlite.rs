//! SQLite.

use std::str::FromStr;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Database, Sqlite, SqliteConnection};

use super::{Driver, driver, errors};
use crate::{Error, Source};

driver!(Sqlite, SqliteConnection);

impl Driver for Sqlite {
    fn options(url: &str, source: &Source) -> Result<SqliteConnectOptions, Error> {
        errors::expect_scheme(url, Self::URL_SCHEMES, source)?;
        SqliteConnectOptions::from_str(url).map_err(|error| errors::malformed(&error, source))
    }

    async fn execute(connection: &mut SqliteConnection, sql: String) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(connection)
            .await
            .map(drop)
    }

    async fn check(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        rolled_back(sqlx::raw_sql("rollback").execute(connection).await)
    }

    /// There is no wire to spare: its thread answers in some microseconds, unless it is still busy
    /// with a query that was cut off.
    async fn rest(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        Self::check(connection).await
    }
}

/// SQLite calls it an error (code 1) when there is nothing to roll back.
pub(super) fn rolled_back<T>(result: Result<T, sqlx::Error>) -> Result<(), sqlx::Error> {
    match result {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("1") => Ok(()),
        result => result.map(drop),
    }
}
