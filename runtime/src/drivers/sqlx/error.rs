//! Conversions between sqlx's errors and ours.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use sqlx::error::DatabaseError;

use super::error_kind::{error_kind, finding};
use super::tls_files;
use crate::drivers::certificate;
use crate::drivers::database_url::{self, is_password_cut_in_two};
use crate::drivers::driver_error::DriverError;
use crate::error::{BoxError, Error, ErrorKind, Finding};
use crate::source::{Address, Source};

/// Converts an error in the set-up of a new connection.
pub(super) fn set_up(error: sqlx::Error, source: &Source) -> Error {
    let what = match source.on_connect {
        Some(_) => "setting up the connection (`Source::on_connect`)",
        None => "setting up the connection",
    };
    match ours(error) {
        Ok(error) => *error,
        Err(error) => {
            let (kind, found) = (error_kind(&error), finding(&error));
            Error::connect(kind, Explained::new(what, error)).with_finding(found)
        }
    }
}

/// An error of sqlx, with an explanation ahead of its text.
#[derive(Debug, thiserror::Error)]
#[error("{explanation}: {source}")]
pub(super) struct Explained {
    explanation: &'static str,
    source: sqlx::Error,
}

impl Explained {
    pub(super) fn new(explanation: &'static str, source: sqlx::Error) -> Self {
        Self {
            explanation,
            source,
        }
    }
}

/// Converts an error of connecting to a URL. An unusable file that the URL names, such as a
/// certificate, is a permanent error.
pub(super) fn connecting(error: sqlx::Error, uses_path: bool, url: &str) -> Error {
    use std::io::ErrorKind::{InvalidData, IsADirectory, NotFound, PermissionDenied};

    let problem = || tls_files::problem(url).map(Error::rejected);
    match error {
        sqlx::Error::Io(error) if error.kind() == NotFound && !uses_path => problem()
            .unwrap_or_else(|| {
                Error::rejected(format!("a file that the URL names does not exist: {error}"))
            }),
        sqlx::Error::Io(error)
            if matches!(error.kind(), InvalidData | IsADirectory | PermissionDenied) =>
        {
            problem().unwrap_or_else(|| with_advice(sqlx::Error::Io(error), url))
        }
        sqlx::Error::Io(error)
            if error.to_string().contains("lookup address") && is_password_cut_in_two(url) =>
        {
            Error::rejected(format!(
                "{error}; the URL has an `@` after its host: percent-encode special \
                 characters in its user and password"
            ))
        }
        sqlx::Error::Tls(_) | sqlx::Error::Configuration(_) => {
            problem().unwrap_or_else(|| with_advice(error, url))
        }
        error => error.into(),
    }
}

/// Adds to an error of TLS the files that the URL names, since a driver does not say which is the
/// cause, and the advice for the cause.
fn with_advice(error: sqlx::Error, url: &str) -> Error {
    let error = Error::from(error);
    if error.kind() != Some(ErrorKind::Rejected) {
        return error;
    }
    let host = Address::of(url).map_or_else(String::new, |address| address.host);
    let advice = certificate::advice(&error.to_string(), &host);
    let advice = advice.map_or_else(String::new, |advice| format!("; {advice}"));
    let files = tls_files::list(url).map_or_else(String::new, |files| format!(" ({files})"));
    match error {
        Error::Connect { source, .. } if !advice.is_empty() || !files.is_empty() => {
            Error::rejected(format!("{source}{files}{advice}"))
        }
        error => error,
    }
}

/// Classifies an error of connecting as transient or permanent.
impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match ours(error) {
            Ok(error) => *error,
            Err(error) => {
                let found = finding(&error);
                Self::connect(error_kind(&error), error).with_finding(found)
            }
        }
    }
}

impl DriverError for sqlx::Error {
    fn answer(&self) -> Option<(Cow<'_, str>, &str)> {
        let error = self.as_database_error()?;
        Some((error.code().unwrap_or_default(), error.message()))
    }

    fn kind(&self) -> ErrorKind {
        error_kind(self)
    }

    fn finding(&self) -> Finding {
        finding(self)
    }
}

/// Returns the error of a URL that sqlx cannot parse.
pub(super) fn malformed(error: sqlx::Error, source: &Source) -> Error {
    let cause: BoxError = match error {
        sqlx::Error::Configuration(cause) => cause,
        error => error.into(),
    };
    database_url::malformed(cause, source)
}

/// Unwraps an error of ours that was converted into one of sqlx. Otherwise a permanent error would
/// look like a transient one of the network.
pub(super) fn ours(error: sqlx::Error) -> Result<Box<Error>, sqlx::Error> {
    match error {
        sqlx::Error::Io(error)
            if error
                .get_ref()
                .is_some_and(<dyn StdError + Send + Sync>::is::<Error>) =>
        {
            error.downcast().map(Box::new).map_err(sqlx::Error::Io)
        }
        sqlx::Error::Configuration(cause) => cause.downcast().map_err(sqlx::Error::Configuration),
        sqlx::Error::Database(error) => {
            let ours = StdError::source(&*error).and_then(<dyn StdError>::downcast_ref);
            let Some(mut ours) = ours.and_then(Error::clone_as_text) else {
                return Err(sqlx::Error::Database(error));
            };
            if let Error::Connect { source, .. } | Error::Transaction { source, .. } = &mut ours {
                *source = Returned(error).into();
            }
            Ok(Box::new(ours))
        }
        error => Err(error),
    }
}

/// An error of the server, taken out of ours and back again. It keeps ours alive, and with it the
/// 503 of the invocation.
#[derive(Debug)]
struct Returned(Box<dyn DatabaseError>);

impl fmt::Display for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error returned from database: {}", self.0.message())
    }
}

impl StdError for Returned {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.0.as_error())
    }
}

/// Makes `?` and the attribute work in handlers that return `sqlx::Error`. An error of the server
/// stays one: `as_database_error` returns it, with its code.
impl From<Error> for sqlx::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Variable { .. } => Self::Configuration(error.into()),
            error => match Reported::new(error) {
                Ok(reported) => Self::Database(Box::new(reported)),
                Err(error) => Self::Io(std::io::Error::other(error)),
            },
        }
    }
}

/// An error of the server, with ours around it. Ours adds the text, and keeps the 503 of the
/// invocation.
#[derive(Debug)]
struct Reported {
    ours: Error,
    server: Box<dyn DatabaseError>,
}

impl Reported {
    /// Takes the server's error out of ours, where its text stays. Returns an error without one
    /// unchanged.
    fn new(mut ours: Error) -> Result<Self, Error> {
        let source = match &mut ours {
            Error::Connect { source, .. } | Error::Transaction { source, .. } => source,
            _ => return Err(ours),
        };
        let text = source.to_string();
        match taken(std::mem::replace(source, text.into())) {
            Ok(server) => Ok(Self { ours, server }),
            Err(cause) => {
                *source = cause;
                Err(ours)
            }
        }
    }
}

/// Takes the server's error out of a cause.
fn taken(cause: BoxError) -> Result<Box<dyn DatabaseError>, BoxError> {
    let error = match cause.downcast::<sqlx::Error>() {
        Ok(error) => *error,
        Err(cause) => match cause.downcast::<Explained>() {
            Ok(explained) if explained.source.as_database_error().is_some() => explained.source,
            Ok(explained) => return Err(explained),
            Err(cause) => return cause.downcast::<Returned>().map(|returned| returned.0),
        },
    };
    match error {
        sqlx::Error::Database(error) => Ok(error),
        error => Err(error.into()),
    }
}

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ours.fmt(f)
    }
}

/// The source is ours, by which [`ours`] recognizes it.
impl StdError for Reported {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.ours)
    }
}

impl DatabaseError for Reported {
    fn message(&self) -> &str {
        self.server.message()
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        self.server.code()
    }

    fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self.server.as_error()
    }

    fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
        self.server.as_error_mut()
    }

    fn into_error(self: Box<Self>) -> BoxError {
        self.server.into_error()
    }

    fn is_transient_in_connect_phase(&self) -> bool {
        self.server.is_transient_in_connect_phase()
    }

    fn constraint(&self) -> Option<&str> {
        self.server.constraint()
    }

    fn table(&self) -> Option<&str> {
        self.server.table()
    }

    fn kind(&self) -> sqlx::error::ErrorKind {
        self.server.kind()
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use super::*;

    #[test]
    fn our_error_survives_the_conversion_into_sqlx_and_back() {
        let error = Error::rejected("no such user").with_attempts("host".into(), 1, Duration::ZERO);
        let (text, error) = (error.to_string(), Error::from(sqlx::Error::from(error)));
        assert_eq!(
            (error.kind(), error.to_string()),
            (Some(ErrorKind::Rejected), text)
        );
        let error = Error::from(sqlx::Error::from(Source::env("X").problem("is empty")));
        assert!(
            matches!(error, Error::Variable { name: "X", .. }),
            "{error:?}"
        );
        let other = sqlx::Error::Io(io::ErrorKind::ConnectionRefused.into());
        assert_eq!(Error::from(other).kind(), Some(ErrorKind::Unavailable));
    }

    /// A user's driver may return any error of a server.
    #[derive(Debug, thiserror::Error)]
    #[error("duplicate key")]
    struct Duplicate;

    impl DatabaseError for Duplicate {
        fn message(&self) -> &str {
            "duplicate key"
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some("23505".into())
        }

        fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> BoxError {
            self
        }

        fn kind(&self) -> sqlx::error::ErrorKind {
            sqlx::error::ErrorKind::UniqueViolation
        }
    }

    #[test]
    fn an_error_of_the_server_survives_each_conversion() {
        let commit = Error::Transaction {
            step: "COMMIT",
            source: sqlx::Error::Database(Box::new(Duplicate)).into(),
        };
        let code = |error: &sqlx::Error| {
            let error = error.as_database_error().expect("the server's error");
            assert!(error.is_unique_violation());
            assert!(error.try_downcast_ref::<Duplicate>().is_some());
            error.code().map(Cow::into_owned)
        };
        let error = sqlx::Error::from(commit);
        assert_eq!(code(&error).as_deref(), Some("23505"));
        let error = Error::from(error);
        assert_eq!(
            error.to_string(),
            "COMMIT failed: error returned from database: duplicate key"
        );
        let error = sqlx::Error::from(error);
        assert_eq!(code(&error).as_deref(), Some("23505"));

        let refused = Error::unavailable(sqlx::Error::Database(Box::new(Duplicate)));
        let alive = refused.watch().expect("a token");
        let error = Error::from(sqlx::Error::from(refused));
        assert_eq!(error.kind(), Some(ErrorKind::Unavailable));
        assert!(alive.upgrade().is_some());
        drop(error);
        assert!(alive.upgrade().is_none());
    }
}
