//! What sqlx's errors mean for connecting.

use std::error::Error as StdError;

use super::kind::kind;
use crate::{Error, Kind, Source};

/// An error in what a new connection is set up with.
pub(super) fn set_up(error: sqlx::Error, source: &Source) -> Error {
    let what = match source.on_connect {
        Some(_) => "setting up the connection (`Source::on_connect`)",
        None => "setting up the connection",
    };
    match Error::from(error) {
        Error::Connect { kind, source, .. } => Error::connect(kind, format!("{what}: {source}")),
        other => other,
    }
}

/// A file that the URL names, a certificate's, is not there: nothing to wait for.
pub(super) fn connecting(error: sqlx::Error, is_by_socket: bool) -> Error {
    match error {
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::NotFound && !is_by_socket => {
            Error::rejected(format!("a file that the URL names is not there: {error}"))
        }
        error => error.into(),
    }
}

/// Whether the server has said that it will not do what it was asked.
pub(super) fn is_refusal(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some() && kind(error) == Kind::Rejected
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
    use std::io::ErrorKind;
    use std::time::Duration;

    use super::*;

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
