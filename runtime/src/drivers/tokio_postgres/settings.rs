//! The settings of a URL: those of tokio-postgres, and those of TLS that it does not know.

use std::path::PathBuf;
use std::str::FromStr;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, TargetSessionAttrs};

use crate::connect::Attempt;
use crate::drivers::database_url::{expect_scheme, malformed};
use crate::drivers::postgres::{session_name, start_up};
use crate::error::Error;
use crate::source::Source;

const STANDARD_PORT: u16 = 5432;

/// The settings of one attempt to connect.
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) place: Place,
    pub(super) tls: TlsSettings,
}

/// The place of the server.
pub(super) enum Place {
    /// A host's name for TLS, and the host or address to connect to.
    Tcp {
        name: String,
        host: String,
        port: u16,
    },
    /// The path of a socket.
    Unix(PathBuf),
}

/// The files that the URL names for TLS.
#[derive(Debug, Default, PartialEq)]
pub(super) struct TlsSettings {
    pub(super) authorities: Option<String>,
    pub(super) certificate: Option<String>,
    pub(super) key: Option<String>,
}

impl Settings {
    /// Parses the source's URL, and adds what costs no round trip: the attempt's credentials, a
    /// name of the session, and its limits.
    pub(super) fn of(source: &Source, attempt: &Attempt) -> Result<Self, Error> {
        let url = source.url()?;
        expect_scheme(&url, &["postgres", "postgresql"], source)?;
        let (url, tls) = without_tls_files(&url, source)?;
        let config = Config::from_str(&url);
        let mut config = config.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            malformed(cause.unwrap_or_else(|| error.to_string()), source)
        })?;
        if config.get_target_session_attrs() != TargetSessionAttrs::Any {
            return Err(source.problem(
                "has the parameter `target_session_attrs`: remove it; `Source::read_write` requires \
                 a server that accepts writes",
            ));
        }
        let place = Place::of(&config, source)?;
        if let Some(credentials) = &attempt.credentials {
            config.user(credentials.user());
            config.password(credentials.password());
        }
        if config.get_application_name().is_none()
            && let Some(name) = session_name()
        {
            config.application_name(name);
        }
        add_limits(&mut config, source);
        Ok(Self { config, place, tls })
    }
}

impl Place {
    fn of(config: &Config, source: &Source) -> Result<Self, Error> {
        let port = config.get_ports().first().copied().unwrap_or(STANDARD_PORT);
        let address = config.get_hostaddrs().first().map(ToString::to_string);
        if config.get_hosts().len() > 1 || config.get_hostaddrs().len() > 1 {
            return Err(source.problem("names several hosts: name one"));
        }
        match config.get_hosts().first() {
            #[cfg(unix)]
            Some(Host::Unix(folder)) => Ok(Self::Unix(folder.join(format!(".s.PGSQL.{port}")))),
            Some(Host::Tcp(name)) => Ok(Self::Tcp {
                host: address.unwrap_or_else(|| name.clone()),
                name: name.clone(),
                port,
            }),
            None => match address {
                Some(address) => Ok(Self::Tcp {
                    name: address.clone(),
                    host: address,
                    port,
                }),
                None => Err(source.problem("names no host")),
            },
        }
    }
}

/// Adds the limits of the session, in one parameter `options`.
fn add_limits(config: &mut Config, source: &Source) {
    let of_url = config.get_options().map(ToOwned::to_owned);
    // As for libpq and sqlx.
    let of_environment = || std::env::var("PGOPTIONS").unwrap_or_default();
    let mut options = of_url.unwrap_or_else(of_environment);
    for (name, value) in start_up::limits(&options, source) {
        if !options.is_empty() {
            options.push(' ');
        }
        options.push_str(&format!("-c {name}={value}"));
    }
    if !options.is_empty() {
        config.options(options);
    }
}

/// Takes the parameters out of a URL that tokio-postgres does not know: the files for TLS, and the
/// modes `verify-ca` and `verify-full`. A certificate is always verified, with its name.
fn without_tls_files(url: &str, source: &Source) -> Result<(String, TlsSettings), Error> {
    let mut tls = TlsSettings::default();
    let Some((base, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), tls));
    };
    let mut rest = Vec::new();
    for part in query.split('&') {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let text = || {
            let decoded = url::form_urlencoded::parse(part.as_bytes()).next();
            decoded.map(|(_, value)| value.into_owned())
        };
        match (name, value) {
            ("sslrootcert", "system") => {}
            ("sslrootcert", _) => tls.authorities = text(),
            ("sslcert", _) => tls.certificate = text(),
            ("sslkey", _) => tls.key = text(),
            ("sslmode", "verify-full" | "verify-ca") => rest.push("sslmode=require"),
            ("sslmode", "allow") => rest.push("sslmode=prefer"),
            _ => rest.push(part),
        }
    }
    if tls.certificate.is_some() != tls.key.is_some() {
        return Err(source.problem("needs both of `sslcert` and `sslkey`, or none"));
    }
    let url = match rest[..] {
        [] => base.to_owned(),
        _ => format!("{base}?{}", rest.join("&")),
    };
    Ok((url, tls))
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::SslMode;

    use super::*;
    use crate::telemetry::Counters;

    fn settings(url: &str) -> Result<Settings, String> {
        let url: &'static str = url.to_owned().leak();
        let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE").or(url);
        let attempt = Attempt::first(Counters::of_process());
        Settings::of(&source, &attempt).map_err(|error| error.to_string())
    }

    fn place(url: &str) -> Result<String, String> {
        Ok(match settings(url)?.place {
            Place::Tcp { name, host, port } => format!("{name} {host} {port}"),
            Place::Unix(path) => path.display().to_string(),
        })
    }

    #[test]
    fn a_url_leads_to_a_host_an_address_or_a_socket() {
        for (url, wanted) in [
            ("postgres://app@host/app", "host host 5432"),
            ("postgresql://app@[::1]:77/app", "::1 ::1 77"),
            (
                "postgres://app@host/app?hostaddr=10.0.0.1",
                "host 10.0.0.1 5432",
            ),
            ("postgres://app@%2Frun%2Fpg:77/app", "/run/pg/.s.PGSQL.77"),
            ("postgres:///app?host=/run/pg", "/run/pg/.s.PGSQL.5432"),
        ] {
            assert_eq!(place(url).as_deref(), Ok(wanted), "{url}");
        }
    }

    #[test]
    fn a_url_that_is_wrong_is_explained_without_its_password() {
        for (url, wanted) in [
            ("postgres://app:s3cret@a,b/app", "names several hosts"),
            ("postgres:///app", "names no host"),
            (
                "postgres://app:s3cret@host/app?sslcert=a.pem",
                "needs both of `sslcert` and `sslkey`",
            ),
            (
                "postgres://app:s3cret@host/app?pgbouncer=true",
                "unknown option `pgbouncer`",
            ),
            (
                "postgres://app:s3cret@host/app?target_session_attrs=read-write",
                "`Source::read_write` requires",
            ),
            ("host=localhost password=s3cret", "is not a database URL"),
            ("mysql://app:s3cret@host/app", "is a `mysql:` URL"),
        ] {
            let text = place(url).expect_err(url);
            assert!(text.contains(wanted) && !text.contains("s3cret"), "{text}");
        }
    }

    #[test]
    fn the_files_for_tls_are_kept_from_the_client() {
        let settings = settings(
            "postgres://app@host/app?sslmode=verify-full&sslrootcert=%2Fvar%2Fa%20b.pem\
             &application_name=shop",
        );
        let settings = settings.expect("settings");
        assert_eq!(settings.config.get_ssl_mode(), SslMode::Require);
        assert_eq!(settings.tls.authorities.as_deref(), Some("/var/a b.pem"));
        assert_eq!(settings.config.get_application_name(), Some("shop"));
    }
}
