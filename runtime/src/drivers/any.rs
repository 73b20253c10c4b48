//! Any database whose driver sqlx has compiled in. The URL's scheme chooses it.
//!
//! An `AnyConnection` connects, is checked, and begins and ends transactions. It supports no
//! credentials, no start-up parameters and no rotation of addresses: sqlx keeps its options as a
//! URL.

use std::str::FromStr;
use std::sync::OnceLock;

use sqlx::any::AnyConnectOptions;
use sqlx::{Any, AnyConnection, AssertSqlSafe};

use super::{Driver, driver, error};
use crate::error::Error;
use crate::source::Source;

driver!(Any, AnyConnection);

/// Installs sqlx's drivers, without which it knows none.
///
/// sqlx panics if the user has installed drivers before, and those serve as well. Its other
/// function, which returns an error, would make a later call by the user panic.
fn install_drivers() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| drop(std::panic::catch_unwind(sqlx::any::install_default_drivers)));
}

impl Driver for Any {
    fn options(url: &str, source: &Source) -> Result<AnyConnectOptions, Error> {
        install_drivers();
        let schemes = ["postgres", "postgresql", "mysql", "mariadb", "sqlite"];
        error::expect_scheme(url, &schemes, source)?;
        AnyConnectOptions::from_str(url).map_err(|error| error::malformed(error, source))
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

    async fn execute(connection: &mut AnyConnection, sql: String) -> Result<(), sqlx::Error> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        sql.execute(connection).await.map(drop)
    }

    async fn check(connection: &mut AnyConnection, source: &Source) -> Result<(), sqlx::Error> {
        match connection.backend_name() {
            #[cfg(feature = "postgres")]
            "PostgreSQL" => {
                let check = super::postgres::CHECK;
                super::postgres::probe_session::<Self>(connection, source, check).await
            }
            #[cfg(feature = "mysql")]
            "MySQL" => super::mysql::probe_session::<Self>(connection, source, None).await,
            #[cfg(feature = "sqlite")]
            "SQLite" => {
                super::sqlite::rolled_back(sqlx::raw_sql("rollback").execute(connection).await)
            }
            _ => {
                let _ = source;
                sqlx::Connection::ping(connection).await
            }
        }
    }

    async fn quiesce(connection: &mut AnyConnection, source: &Source) -> Result<(), sqlx::Error> {
        match connection.backend_name() {
            "SQLite" => Self::check(connection, source).await,
            _ => super::session::quiesce::<Self>(connection, source).await,
        }
    }
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
