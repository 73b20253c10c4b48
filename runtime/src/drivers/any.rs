//! Any database of which sqlx has the driver compiled in; the URL's scheme picks it.

use std::str::FromStr;
use std::sync::OnceLock;

use sqlx::any::AnyConnectOptions;
use sqlx::{Any, AnyConnection, AssertSqlSafe};

use super::{Driver, driver, errors};
use crate::{Error, Source};

driver!(Any, AnyConnection);

/// sqlx knows its drivers only once they are installed.
fn install_drivers() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    // It panics where the user has installed drivers of their own, which serve as well. After
    // `install_drivers`, which answers with an error, it would panic where the user calls it later.
    INSTALLED.get_or_init(|| drop(std::panic::catch_unwind(sqlx::any::install_default_drivers)));
}

#[cfg(feature = "postgres")]
fn with_start_up_parameters(mut options: AnyConnectOptions, source: &Source) -> AnyConnectOptions {
    let url = &mut options.database_url;
    if !url.scheme().starts_with("postgres") {
        return options;
    }
    let says = |url: &url::Url, name| url.query().is_some_and(|query| query.contains(name));
    if let Some((name, value)) = super::postgres::idle_session_timeout(source)
        && !says(url, name)
    {
        url.query_pairs_mut()
            .append_pair(&format!("options[{name}]"), &value);
    }
    if let Some(value) = super::postgres::session_name()
        && !says(url, "application_name")
    {
        url.query_pairs_mut()
            .append_pair("application_name", &value);
    }
    options
}

impl Driver for Any {
    fn options(url: &str, source: &Source) -> Result<AnyConnectOptions, Error> {
        install_drivers();
        errors::expect_scheme(
            url,
            &["postgres", "postgresql", "mysql", "mariadb", "sqlite"],
            source,
        )?;
        let options =
            AnyConnectOptions::from_str(url).map_err(|error| errors::malformed(&error, source))?;
        #[cfg(feature = "postgres")]
        let options = with_start_up_parameters(options, source);
        Ok(options)
    }

    #[cfg(feature = "postgres")]
    fn was_too_much(error: &sqlx::Error, source: &Source) -> bool {
        super::postgres::was_refused(error, source)
    }

    #[cfg(feature = "mysql")]
    fn set_up(source: &Source) -> Option<String> {
        source
            .url()
            .is_ok_and(|url| url.starts_with("m"))
            .then(|| super::mysql::wait_timeout(source))?
    }

    async fn execute(connection: &mut AnyConnection, sql: String) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(connection)
            .await
            .map(drop)
    }

    async fn check(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
        match connection.backend_name() {
            #[cfg(feature = "postgres")]
            "PostgreSQL" => {
                let answer = sqlx::raw_sql(super::postgres::NO_TRANSACTION)
                    .fetch_one(&mut *connection)
                    .await;
                if super::postgres::is_transaction_open(
                    answer.and_then(|row| sqlx::Row::try_get(&row, 0)),
                )? {
                    sqlx::raw_sql("rollback").execute(connection).await?;
                }
                Ok(())
            }
            #[cfg(feature = "sqlite")]
            "SQLite" => {
                super::sqlite::rolled_back(sqlx::raw_sql("rollback").execute(connection).await)
            }
            #[cfg(feature = "mysql")]
            "MySQL" => sqlx::raw_sql("rollback")
                .execute(connection)
                .await
                .map(drop),
            _ => sqlx::Connection::ping(connection).await,
        }
    }

    async fn check_writer(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
        match connection.backend_name() {
            #[cfg(feature = "postgres")]
            "PostgreSQL" => {
                let answer = sqlx::raw_sql(super::postgres::NO_TRANSACTION_AND_READ_ONLY)
                    .fetch_one(&mut *connection)
                    .await;
                let is_read_only = answer
                    .as_ref()
                    .is_ok_and(|row| sqlx::Row::try_get(row, 1).unwrap_or(false));
                let no_transaction = answer.and_then(|row| sqlx::Row::try_get(&row, 0));
                if super::postgres::is_transaction_open(no_transaction)? {
                    sqlx::raw_sql("rollback").execute(&mut *connection).await?;
                    return Self::check(connection).await;
                }
                errors::expect_writes(is_read_only)
            }
            #[cfg(feature = "mysql")]
            "MySQL" => {
                let answer = sqlx::raw_sql(super::mysql::ROLLBACK_AND_READ_ONLY)
                    .fetch_all(connection)
                    .await?;
                let row = answer.first().ok_or(sqlx::Error::RowNotFound)?;
                errors::expect_writes(sqlx::Row::try_get::<i64, _>(row, 0)? != 0)
            }
            _ => Self::check(connection).await,
        }
    }

    async fn rest(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
        match connection.backend_name() {
            "SQLite" => Self::check(connection).await,
            _ => super::connection::rest::<Self>(connection).await,
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_user_can_install_the_default_drivers_as_well() {
        super::install_drivers();
        sqlx::any::install_default_drivers();
    }
}
