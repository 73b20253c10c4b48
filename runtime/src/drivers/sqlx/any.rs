//! Any database whose driver sqlx has compiled in. The URL's scheme chooses it.
//!
//! An `AnyConnection` connects, is checked, and begins and ends transactions. It supports no
//! credentials and no rotation of addresses: sqlx keeps its options as a URL.

use std::str::FromStr;
use std::sync::OnceLock;
use std::time::Duration;

use sqlx::any::AnyConnectOptions;
#[cfg(feature = "postgres")]
use sqlx::postgres::PgConnectOptions;
use sqlx::{Any, AnyConnection, AssertSqlSafe, Connection as _, Transaction};

use super::{Driver, driver, error};
#[cfg(feature = "mysql")]
use crate::connect::Unused;
use crate::connect::{Reset, SessionId};
use crate::drivers::database_url::expect_scheme;
#[cfg(feature = "postgres")]
use crate::drivers::postgres::{self, PgSession, start_up};
#[cfg(feature = "postgres")]
use crate::drivers::target;
use crate::error::Error;
use crate::source::{ServerLoad, Source};

driver!(Any, AnyConnection);

/// Installs sqlx's drivers, without which it knows none. Drivers that the user has installed
/// before serve as well.
///
/// sqlx does not report whether drivers are installed, and its two functions exclude each other:
///
/// - `install_default_drivers` panics after the user's `install_drivers`. The panic is caught.
/// - After `install_drivers`, the user's `install_default_drivers` panics. So it is called only
///   where a panic cannot be caught, with `panic = "abort"`. It knows the drivers of this crate's
///   features.
fn install_drivers() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        if cfg!(panic = "abort") {
            // An error means that the user has installed drivers.
            let _ = sqlx::any::install_drivers(&[
                #[cfg(feature = "postgres")]
                sqlx::postgres::any::DRIVER,
                #[cfg(feature = "mysql")]
                sqlx::mysql::any::DRIVER,
                #[cfg(feature = "sqlite")]
                sqlx::sqlite::any::DRIVER,
            ]);
        } else {
            drop(std::panic::catch_unwind(sqlx::any::install_default_drivers));
        }
    });
}

impl Driver for Any {
    const COUNTS_ABORTED_HANDSHAKES: bool = cfg!(feature = "mysql");

    fn options(url: &str, source: &Source) -> Result<AnyConnectOptions, Error> {
        install_drivers();
        let schemes = ["postgres", "postgresql", "mysql", "mariadb", "sqlite"];
        expect_scheme(url, &schemes, source)?;
        let url = if url.starts_with("postgres") {
            let known = super::parameters::known(url);
            super::statement_cache::bounded(&known).into_owned()
        } else {
            url.to_owned()
        };
        let options = AnyConnectOptions::from_str(&url);
        let options = options.map_err(|error| error::malformed(error, source))?;
        #[cfg(feature = "postgres")]
        let options = with_limits(options, source);
        Ok(options)
    }

    /// Returns `true` for a socket, in the URL's parameters or as its host, and for a file.
    fn uses_path(options: &AnyConnectOptions) -> bool {
        let url = &options.database_url;
        let host = url.host_str().unwrap_or_default();
        url.scheme() == "sqlite"
            || host.to_ascii_lowercase().starts_with("%2f")
            || url
                .query_pairs()
                .any(|(key, value)| key == "socket" || (key == "host" && value.starts_with('/')))
    }

    fn port(options: &AnyConnectOptions) -> Option<u16> {
        if Self::uses_path(options) {
            return None;
        }
        let url = &options.database_url;
        let standard = match url.scheme() {
            "mysql" | "mariadb" => 3306,
            _ => {
                #[cfg(feature = "postgres")]
                if let Some(options) = of_postgres(options) {
                    return Some(options.get_port());
                }
                5432
            }
        };
        Some(url.port().unwrap_or(standard))
    }

    fn failing(options: &AnyConnectOptions) -> Option<AnyConnectOptions> {
        let parameter = match options.database_url.scheme() {
            "sqlite" => return None,
            "mysql" | "mariadb" => "socket",
            _ => "host",
        };
        let query = format!("{parameter}={}", super::too_long_path());
        let mut options = options.clone();
        options.database_url.set_query(Some(&query));
        Some(options)
    }

    #[cfg(feature = "postgres")]
    fn rejected_startup_parameter(
        error: &sqlx::Error,
        source: &Source,
        sent: &AnyConnectOptions,
    ) -> bool {
        of_postgres(sent).is_some_and(|sent| {
            let sent = sent.get_options().unwrap_or_default();
            start_up::remember_rejected(error, source, sent)
        })
    }

    #[cfg(feature = "mysql")]
    fn limits_sql(source: &Source) -> Option<String> {
        let url = source.url().ok()?;
        let is_mysql = url.starts_with("mysql:") || url.starts_with("mariadb:");
        is_mysql
            .then(|| crate::drivers::mysql::limits::sql(source))
            .flatten()
    }

    #[cfg(feature = "mysql")]
    async fn end_session(source: &Source, session: SessionId) -> Result<(), Error> {
        super::mysql::sessions::end::<Self>(source, session).await
    }

    #[cfg(feature = "mysql")]
    async fn end_busy(
        source: &Source,
        sessions: &[SessionId],
        unused: Unused,
    ) -> Result<(), Error> {
        super::mysql::sessions::end_busy::<Self>(source, sessions, unused).await
    }

    async fn execute(connection: &mut AnyConnection, sql: String) -> Result<(), sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        sql.execute(connection).await.map(drop)
    }

    async fn set_up_shared(
        connection: &mut AnyConnection,
        source: &Source,
    ) -> Result<(), sqlx::Error> {
        match connection.backend_name() {
            #[cfg(feature = "postgres")]
            "PostgreSQL" => {
                connection.detect_passed_names(source).await?;
                // sqlx cannot make an `AnyConnection` forget its statements.
                Ok(target::expect_renamed_statements(source)?)
            }
            _ => {
                let _ = source;
                Ok(())
            }
        }
    }

    async fn set_up(
        connection: &mut AnyConnection,
        source: &Source,
        sql: String,
    ) -> Result<Option<SessionId>, sqlx::Error> {
        match connection.backend_name() {
            #[cfg(feature = "mysql")]
            "MySQL" => super::mysql::set_up::<Self>(connection, source, sql).await,
            _ => {
                let _ = source;
                Self::execute(connection, sql).await.map(|()| None)
            }
        }
    }

    async fn check(connection: &mut AnyConnection, source: &Source) -> Result<(), sqlx::Error> {
        match connection.backend_name() {
            #[cfg(feature = "postgres")]
            "PostgreSQL" => postgres::check(connection, source).await,
            #[cfg(feature = "mysql")]
            "MySQL" => {
                let check = super::mysql::probe_session::<Self>(connection, source, None);
                check.await.map(drop)
            }
            #[cfg(feature = "sqlite")]
            "SQLite" => rolled_back(connection).await.map(drop),
            _ => {
                let _ = source;
                connection.ping().await
            }
        }
    }

    async fn reset(connection: &mut AnyConnection, source: &Source) -> Result<Reset, sqlx::Error> {
        match connection.backend_name() {
            #[cfg(feature = "postgres")]
            "PostgreSQL" => postgres::reset(connection, source).await,
            #[cfg(feature = "mysql")]
            "MySQL" => super::mysql::reset::<Self>(connection, source).await,
            _ => {
                Self::check(connection, source).await?;
                Ok(Reset::Partial)
            }
        }
    }

    async fn inspect(connection: &mut AnyConnection, source: &Source) -> Result<bool, sqlx::Error> {
        match connection.backend_name() {
            #[cfg(feature = "postgres")]
            "PostgreSQL" => postgres::inspect(connection, source).await,
            #[cfg(feature = "mysql")]
            "MySQL" => super::mysql::inspect::<Self>(connection, source).await,
            #[cfg(feature = "sqlite")]
            "SQLite" => rolled_back(connection).await,
            _ => {
                let _ = source;
                Ok(false)
            }
        }
    }

    async fn begin<'c>(
        connection: &'c mut AnyConnection,
        source: &Source,
    ) -> Result<Transaction<'c, Self>, sqlx::Error> {
        match connection.backend_name() {
            #[cfg(feature = "postgres")]
            "PostgreSQL" => {
                target::expect_renamed_statements(source)?;
                connection.begin_with(AssertSqlSafe(postgres::BEGIN)).await
            }
            #[cfg(feature = "mysql")]
            "MySQL" => {
                let begin = AssertSqlSafe(super::mysql::begin_sql(source));
                connection.begin_with(begin).await
            }
            _ => {
                let _ = source;
                connection.begin().await
            }
        }
    }

    async fn commit(transaction: Transaction<'_, Self>) -> Result<(), sqlx::Error> {
        match transaction.backend_name() {
            #[cfg(feature = "postgres")]
            "PostgreSQL" => super::postgres::commit_checked::<Self>(transaction).await,
            #[cfg(feature = "mysql")]
            "MySQL" => {
                let mut transaction = transaction;
                Self::execute(&mut transaction, super::mysql::commit_sql()).await
            }
            _ => transaction.commit().await,
        }
    }

    async fn server_load(
        connection: &mut AnyConnection,
        source: &Source,
        least_idle: Duration,
    ) -> Result<Option<ServerLoad>, sqlx::Error> {
        match connection.backend_name() {
            #[cfg(feature = "postgres")]
            "PostgreSQL" => postgres::server_load(connection, source, least_idle).await,
            #[cfg(feature = "mysql")]
            "MySQL" => {
                let load = super::mysql::server_load::<Self>(connection, source, least_idle);
                load.await.map(Some)
            }
            _ => {
                let _ = (source, least_idle);
                Ok(None)
            }
        }
    }

    /// Fails, because sqlx does not pass this on to the driver.
    async fn clear(_: &mut AnyConnection) -> Result<(), sqlx::Error> {
        let cause = "an `AnyConnection` cannot close its prepared statements";
        Err(sqlx::Error::Protocol(cause.into()))
    }

    async fn quiesce(connection: &mut AnyConnection, source: &Source) -> Result<(), sqlx::Error> {
        match connection.backend_name() {
            "SQLite" => Self::check(connection, source).await,
            #[cfg(feature = "mysql")]
            "MySQL" => super::mysql::quiesce::<Self>(connection, source).await,
            _ => super::session::quiesce::<Self>(connection, source).await,
        }
    }
}

#[cfg(feature = "postgres")]
impl PgSession for AnyConnection {
    type Error = sqlx::Error;

    async fn texts(&mut self, sql: String) -> Result<Vec<String>, sqlx::Error> {
        super::postgres::texts::<Any>(self, sql).await
    }

    async fn outside_transaction(&mut self, sql: &str) -> Result<bool, sqlx::Error> {
        super::session::outside_transaction::<Any>(self, sql).await
    }

    async fn detect_passed_names(&mut self, source: &Source) -> Result<(), sqlx::Error> {
        super::postgres::detect_passed_names::<Any>(self, source).await
    }

    async fn forget_passed_names(&mut self, source: &Source) -> Result<(), sqlx::Error> {
        super::postgres::forget_passed_names::<Any>(self, source).await
    }
}

/// Returns the options of a URL of PostgreSQL.
#[cfg(feature = "postgres")]
fn of_postgres(options: &AnyConnectOptions) -> Option<PgConnectOptions> {
    let url = options.database_url.as_str();
    let options = url
        .starts_with("postgres")
        .then(|| PgConnectOptions::from_str(url));
    options?.ok()
}

/// Adds the limits of a session to a URL of PostgreSQL.
#[cfg(feature = "postgres")]
fn with_limits(mut options: AnyConnectOptions, source: &Source) -> AnyConnectOptions {
    let limits = of_postgres(&options).map(|options| {
        let set = options.get_options().unwrap_or_default();
        start_up::limits(set, source)
    });
    for (name, value) in limits.unwrap_or_default() {
        let mut pairs = options.database_url.query_pairs_mut();
        pairs.append_pair(&format!("options[{name}]"), &value.to_string());
    }
    options
}

#[cfg(feature = "sqlite")]
async fn rolled_back(connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    let rollback = sqlx::raw_sql("rollback").execute(connection).await;
    super::sqlite::rolled_back(rollback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_can_install_the_default_drivers_as_well() {
        install_drivers();
        sqlx::any::install_default_drivers();
    }
}
