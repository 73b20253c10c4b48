//! The errors of the requests that this crate sends itself.

use std::borrow::Cow;
use std::io;

use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::ErrorResponseBody;

use crate::drivers::driver_error::DriverError;
use crate::drivers::{io_error, sqlstate};
use crate::error::{Error, ErrorKind, Finding};

/// The error of a request of this crate.
#[derive(Debug, thiserror::Error)]
pub(in crate::drivers) enum PgError {
    /// The server's answer.
    #[error("{severity}: {message} ({code})")]
    Answer {
        severity: String,
        code: String,
        message: String,
    },
    /// The stream has failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The messages do not follow the protocol.
    #[error("{0}")]
    Protocol(String),
    /// An error of this crate.
    #[error(transparent)]
    Ours(Box<Error>),
}

impl PgError {
    /// Reads the server's answer.
    pub(super) fn of_answer(body: &ErrorResponseBody) -> io::Result<Self> {
        let (mut severity, mut code, mut message) = Default::default();
        let mut fields = body.fields();
        while let Some(field) = fields.next()? {
            let into = match field.type_() {
                b'S' => &mut severity,
                b'C' => &mut code,
                b'M' => &mut message,
                _ => continue,
            };
            *into = String::from_utf8_lossy(field.value_bytes()).into_owned();
        }
        Ok(Self::Answer {
            severity,
            code,
            message,
        })
    }
}

impl From<Error> for PgError {
    fn from(error: Error) -> Self {
        Self::Ours(Box::new(error))
    }
}

/// Converts an error in the set-up of a connection, or of its health check.
impl From<PgError> for Error {
    fn from(error: PgError) -> Self {
        match error {
            PgError::Ours(error) => *error,
            error => {
                let found = error.finding();
                Self::connect(error.kind(), error).with_finding(found)
            }
        }
    }
}

impl DriverError for PgError {
    fn answer(&self) -> Option<(Cow<'_, str>, &str)> {
        match self {
            Self::Answer { code, message, .. } => Some((code.into(), message)),
            _ => None,
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::Answer { code, message, .. } => sqlstate::kind(code, message),
            Self::Io(error) => io_error::kind(error),
            Self::Protocol(_) => ErrorKind::Rejected,
            Self::Ours(error) => error.kind().unwrap_or(ErrorKind::Rejected),
        }
    }

    fn finding(&self) -> Finding {
        match self {
            Self::Answer { code, message, .. } => sqlstate::finding(code, message),
            _ => Finding::Nothing,
        }
    }
}

/// An error of tokio-postgres, with its causes in its text.
#[derive(Debug)]
pub(super) struct ClientError(pub(super) tokio_postgres::Error);

impl std::fmt::Display for ClientError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(error) = self.0.as_db_error() {
            return write!(
                f,
                "{}: {} ({})",
                error.severity(),
                error.message(),
                error.code().code()
            );
        }
        let error: &dyn std::error::Error = &self.0;
        write!(f, "{error}")?;
        let mut causes = std::iter::successors(error.source(), |cause| cause.source());
        causes.try_for_each(|cause| write!(f, ": {cause}"))
    }
}

/// The source is the error itself, by which the outcome of a handler is found.
impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl ClientError {
    /// Converts an error of connecting. `first_byte` is the first one that the server has sent.
    pub(super) fn into_error(self, first_byte: Option<u8>) -> Error {
        let kind = match first_byte {
            // The answer to the question for TLS: the server could not start a process.
            Some(b'E') if self.0.as_db_error().is_none() => ErrorKind::Unavailable,
            _ => self.kind(),
        };
        if let Some(ours) = ours(&self.0) {
            return ours;
        }
        let found = self.finding();
        Error::connect(kind, self).with_finding(found)
    }
}

/// Returns the error of TLS, which is ours.
fn ours(error: &tokio_postgres::Error) -> Option<Error> {
    let cause: &(dyn std::error::Error + 'static) = std::error::Error::source(error)?;
    cause.downcast_ref::<Error>()?.clone_as_text()
}

impl DriverError for ClientError {
    fn answer(&self) -> Option<(Cow<'_, str>, &str)> {
        let error = self.0.as_db_error()?;
        Some((error.code().code().into(), error.message()))
    }

    fn kind(&self) -> ErrorKind {
        if let Some((code, message)) = self.answer() {
            return sqlstate::kind(&code, message);
        }
        if self.0.is_closed() {
            return ErrorKind::Unavailable;
        }
        io_error::cause(&self.0).map_or(ErrorKind::Rejected, io_error::kind)
    }

    fn finding(&self) -> Finding {
        match self.answer() {
            Some((code, message)) => sqlstate::finding(&code, message),
            None => Finding::Nothing,
        }
    }
}
