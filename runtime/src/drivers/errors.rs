//! What sqlx's errors mean for connecting.

use std::error::Error as StdError;
use std::io::ErrorKind;

use crate::{Error, Kind, Source};

/// An error in what a new connection is set up with.
pub(super) fn set_up(error: sqlx::Error) -> Error {
    match Error::from(error) {
        Error::Connect { kind, source, .. } => Error::connect(
            kind,
            format!("setting up the connection (`Source::on_connect`): {source}"),
        ),
        other => other,
    }
}

/// What an error of sqlx means while connecting.
fn kind(error: &sqlx::Error) -> Kind {
    match error {
        sqlx::Error::Io(error) => match error.kind() {
            // A socket's path that is not ours, or cannot be one. One that is not there may be the
            // one of a server that is starting.
            ErrorKind::PermissionDenied | ErrorKind::InvalidInput | ErrorKind::Unsupported => {
                Kind::Rejected
            }
            _ => Kind::Unavailable,
        },
        sqlx::Error::Database(error) => of_code(error.code().as_deref(), number(error.as_ref())),
        sqlx::Error::PoolTimedOut => Kind::Unavailable,
        _ => Kind::Rejected,
    }
}

fn of_code(code: Option<&str>, number: Option<u16>) -> Kind {
    match (number, code) {
        // MySQL: too many connections, of the server, of the user, of the user per hour.
        (Some(1040 | 1203 | 1226), _) => Kind::Saturated,
        // MySQL: the server is shutting down; the host is blocked for its many failed connections.
        (Some(1053 | 1129), _) => Kind::Unavailable,
        (Some(_), _) => Kind::Rejected,
        // PostgreSQL: too many connections.
        (None, Some("53300")) => Kind::Saturated,
        // PostgreSQL: starting, stopping or crashed; a connection's failure, but no violation of
        // the protocol.
        (None, Some("57P01" | "57P02" | "57P03")) => Kind::Unavailable,
        (None, Some(code)) if code.starts_with("08") && code != "08P01" => Kind::Unavailable,
        // SQLite: busy, locked.
        (None, Some("5" | "6")) => Kind::Unavailable,
        _ => Kind::Rejected,
    }
}

/// MySQL's own error number, which says more than its SQLSTATE.
#[cfg(feature = "mysql")]
fn number(error: &dyn sqlx::error::DatabaseError) -> Option<u16> {
    Some(
        error
            .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()?
            .number(),
    )
}

#[cfg(not(feature = "mysql"))]
fn number(_: &dyn sqlx::error::DatabaseError) -> Option<u16> {
    None
}

/// Whether the URL's scheme is one of `schemes`; the error names the variable and tells no secret.
pub(super) fn expect_scheme(url: &str, schemes: &[&str], source: &Source) -> Result<(), Error> {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some(scheme) if schemes.contains(&scheme) => Ok(()),
        Some(scheme)
            if !scheme.is_empty()
                && scheme
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'+')
                && url.contains("://") =>
        {
            Err(source.problem(format!(
                "is a `{scheme}:` URL, but the handler's parameter needs one of {}",
                list(schemes)
            )))
        }
        _ => Err(source.problem(format!(
            "is not a database URL: it must begin with {}",
            list(schemes)
        ))),
    }
}

fn list(schemes: &[&str]) -> String {
    schemes
        .iter()
        .map(|scheme| format!("`{scheme}:`"))
        .collect::<Vec<_>>()
        .join(" or ")
}

/// A URL that the driver could not read.
pub(super) fn malformed(error: &sqlx::Error, source: &Source) -> Error {
    source.problem(format!("is not a usable database URL: {error}; percent-encode special characters in its user and password"))
}

/// An error of connecting, sorted into what may pass and what will not.
impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match ours(error) {
            Ok(error) => *error,
            Err(error) => Self::connect(kind(&error), error),
        }
    }
}

/// A server that was the writer once.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(super) fn expect_writes(is_read_only: bool) -> Result<(), sqlx::Error> {
    if is_read_only {
        return Err(sqlx::Error::Protocol(
            "the server has become read-only".into(),
        ));
    }
    Ok(())
}

/// The error of ours that was made an error of sqlx, as it was: one that will not pass would else look
/// like one of the network.
fn ours(error: sqlx::Error) -> Result<Box<Error>, sqlx::Error> {
    match error {
        sqlx::Error::Io(error)
            if error
                .get_ref()
                .is_some_and(<dyn StdError + Send + Sync>::is::<Error>) =>
        {
            error.downcast().map(Box::new).map_err(sqlx::Error::Io)
        }
        sqlx::Error::Configuration(cause) => cause.downcast().map_err(sqlx::Error::Configuration),
        error => Err(error),
    }
}

/// So that `?` and the attribute work in handlers that return `sqlx::Error`.
impl From<Error> for sqlx::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Variable { .. } => Self::Configuration(error.into()),
            _ => Self::Io(std::io::Error::other(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn sorts_codes() {
        assert_eq!(of_code(Some("53300"), None), Kind::Saturated);
        assert_eq!(of_code(Some("57P03"), None), Kind::Unavailable);
        assert_eq!(of_code(Some("08006"), None), Kind::Unavailable);
        assert_eq!(of_code(Some("28P01"), None), Kind::Rejected);
        assert_eq!(of_code(Some("3D000"), None), Kind::Rejected);
        assert_eq!(of_code(Some("08004"), Some(1040)), Kind::Saturated);
        assert_eq!(of_code(Some("28000"), Some(1045)), Kind::Rejected);
    }

    #[test]
    fn an_error_of_ours_is_the_same_after_it_was_one_of_sqlx() {
        let error = Error::rejected("no such user").after("host".into(), 1, Duration::ZERO);
        let (text, error) = (error.to_string(), Error::from(sqlx::Error::from(error)));
        assert_eq!(
            (error.kind(), error.to_string()),
            (Some(Kind::Rejected), text)
        );
        let error = Error::from(sqlx::Error::from(Source::env("X").problem("is empty")));
        assert!(
            matches!(error, Error::Variable { name: "X", .. }),
            "{error:?}"
        );
        let other = sqlx::Error::Io(ErrorKind::ConnectionRefused.into());
        assert_eq!(Error::from(other).kind(), Some(Kind::Unavailable));
    }

    #[test]
    fn a_wrong_url_names_the_variable_and_no_secret() {
        let source = Source::env("DATABASE_URL");
        for (url, says) in [
            (
                "mysql://u:s3cret@host/db",
                "`DATABASE_URL` is a `mysql:` URL",
            ),
            ("u:s3cret@host/db", "`DATABASE_URL` is not a database URL"),
            ("s3cret://u:p", "`DATABASE_URL` is a `s3cret:` URL"),
            ("nonsense", "`DATABASE_URL` is not a database URL"),
        ] {
            let error = expect_scheme(url, &["postgres"], &source)
                .expect_err(url)
                .to_string();
            assert!(error.contains(says), "{error}");
        }
        assert!(expect_scheme("postgres://host/db", &["postgres"], &source).is_ok());
    }
}
