//! Any database of which sqlx has the driver compiled in; the URL's scheme picks it.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::OnceLock;

use sqlx::any::AnyConnectOptions;
use sqlx::{Any, AnyConnection, AssertSqlSafe};
use url::Url;

use super::{Driver, driver, errors};
use crate::{Credentials, Error, Source};

driver!(Any, AnyConnection);

/// sqlx knows its drivers only once they are installed.
fn install_drivers() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    // It panics where the user has installed drivers of their own, which serve as well. After
    // `install_drivers`, which answers with an error, it would panic where the user calls it later.
    INSTALLED.get_or_init(|| drop(std::panic::catch_unwind(sqlx::any::install_default_drivers)));
}

fn is_postgres(url: &Url) -> bool {
    matches!(url.scheme(), "postgres" | "postgresql")
}

fn is_mysql(url: &Url) -> bool {
    matches!(url.scheme(), "mysql" | "mariadb")
}

/// As the driver for its scheme reads it.
#[cfg(any(feature = "postgres", feature = "mysql"))]
fn typed<O: sqlx::ConnectOptions>(url: &Url) -> Option<O> {
    O::from_url(url).ok()
}

/// Percent-encoded as far as it goes: `url` would take a `%` for the beginning of a code.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(feature = "postgres")]
fn with_start_up_parameters(mut options: AnyConnectOptions, source: &Source) -> AnyConnectOptions {
    let url = &mut options.database_url;
    if !is_postgres(url) {
        return options;
    }
    let says = |url: &Url, name| url.query().is_some_and(|query| query.contains(name));
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

    fn sign_in(mut options: AnyConnectOptions, who: &Credentials) -> Option<AnyConnectOptions> {
        let url = &mut options.database_url;
        if is_postgres(url) {
            // The last one tells, where there is no host as well.
            url.query_pairs_mut()
                .append_pair("user", who.user())
                .append_pair("password", who.password());
        } else if is_mysql(url) {
            if !url.has_host() {
                // By a socket: whoever signs in has a host in a URL.
                url.set_host(Some("localhost")).ok()?;
            }
            url.set_username(&encoded(who.user())).ok()?;
            url.set_password(Some(&encoded(who.password()))).ok()?;
        } else {
            return None;
        }
        Some(options)
    }

    fn is_by_socket(options: &AnyConnectOptions) -> bool {
        match &options.database_url {
            #[cfg(feature = "postgres")]
            url if is_postgres(url) => typed(url).is_some_and(|o| sqlx::Postgres::is_by_socket(&o)),
            #[cfg(feature = "mysql")]
            url if is_mysql(url) => typed(url).is_some_and(|o| sqlx::MySql::is_by_socket(&o)),
            _ => true,
        }
    }

    fn host(options: &AnyConnectOptions) -> Option<String> {
        match &options.database_url {
            #[cfg(feature = "postgres")]
            url if is_postgres(url) => sqlx::Postgres::host(&typed(url)?),
            #[cfg(feature = "mysql")]
            url if is_mysql(url) => sqlx::MySql::host(&typed(url)?),
            _ => None,
        }
    }

    fn at(mut options: AnyConnectOptions, address: IpAddr) -> AnyConnectOptions {
        let url = &mut options.database_url;
        if is_postgres(url) {
            url.query_pairs_mut()
                .append_pair("host", &address.to_string());
        } else if address.is_ipv4() {
            // In a URL the other kind has brackets, which sqlx takes for a part of a name.
            let _ = url.set_ip_host(address);
        }
        options
    }

    #[cfg(feature = "postgres")]
    fn was_too_much(error: &sqlx::Error, source: &Source) -> bool {
        super::postgres::was_refused(error, source)
    }

    #[cfg(feature = "mysql")]
    fn idle_limit(source: &Source) -> Option<String> {
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
                super::postgres::asked::<Self>(connection, super::postgres::NO_TRANSACTION)
                    .await
                    .map(drop)
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
                let question = super::postgres::NO_TRANSACTION_AND_READ_ONLY;
                errors::expect_writes(super::postgres::asked::<Self>(connection, question).await?)
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
    use super::*;

    #[test]
    fn the_user_can_install_the_default_drivers_as_well() {
        install_drivers();
        sqlx::any::install_default_drivers();
    }

    #[cfg(all(feature = "postgres", feature = "mysql"))]
    #[test]
    fn credentials_and_an_address_take_the_place_of_the_urls() {
        use sqlx::ConnectOptions as _;
        use sqlx::mysql::MySqlConnectOptions;
        use sqlx::postgres::PgConnectOptions;

        let source = Source::env("X");
        let who = Credentials::new("a@b", "100%41/?#:ü&x=1");
        for (url, host) in [
            (
                "postgres://x:y@localhost/app?user=z&password=q",
                "localhost",
            ),
            ("postgres:///app?host=db", "db"),
        ] {
            let options = Any::options(url, &source).expect(url);
            assert_eq!(Any::host(&options).as_deref(), Some(host));
            let options = Any::sign_in(options, &who).expect(url);
            let six = Any::at(options.clone(), "fd00::1".parse().expect("an address"));
            let six = PgConnectOptions::from_url(&six.database_url).expect(url);
            assert_eq!((six.get_username(), six.get_host()), ("a@b", "fd00::1"));
            let shown = PgConnectOptions::from_url(&options.database_url).expect(url);
            let expected = "100%2541%2F%3F%23%3A%C3%BC%26x%3D1";
            assert_eq!(shown.to_url_lossy().password(), Some(expected), "{url}");
        }
        let url = "mysql://x:y@localhost:5432/app?ssl-mode=disabled";
        let options = Any::options(url, &source).expect(url);
        assert_eq!(Any::host(&options).as_deref(), Some("localhost"));
        let options = Any::sign_in(options, &who).expect(url);
        let options = Any::at(options, "127.0.0.2".parse().expect("an address"));
        let typed = MySqlConnectOptions::from_url(&options.database_url).expect(url);
        assert_eq!(
            (typed.get_username(), typed.get_host()),
            ("a@b", "127.0.0.2")
        );
        let shown = typed.to_url_lossy();
        assert_eq!(shown.password(), Some("100%2541%2F%3F%23%3A%C3%BC%26x%3D1"));
        // Not by a name with brackets.
        let options = Any::at(options, "fd00::1".parse().expect("an address"));
        assert_eq!(Any::host(&options).as_deref(), Some("127.0.0.2"));
    }

    #[cfg(all(feature = "postgres", feature = "mysql"))]
    #[test]
    fn a_name_that_is_verified_is_kept() {
        for (url, host) in [
            ("postgres://h/a?sslmode=verify-full", None),
            ("mysql://h/a?ssl-mode=VERIFY_IDENTITY", None),
            ("postgres:///a?host=/var/run", None),
            ("mysql://h/a?socket=/var/run/m.sock", None),
            ("postgres://h/a?sslmode=verify-ca", Some("h")),
            ("postgres://h/a", Some("h")),
            ("mysql://h/a", Some("h")),
        ] {
            let options = Any::options(url, &Source::env("X")).expect(url);
            assert_eq!(Any::host(&options).as_deref(), host, "{url}");
        }
    }
}
