//! The classification of sqlx's errors while connecting.

use sqlx::error::DatabaseError;

use crate::drivers::{io_error, mysql_number, sqlstate};
use crate::error::{ErrorKind, Finding};

pub(super) fn error_kind(error: &sqlx::Error) -> ErrorKind {
    match error {
        sqlx::Error::Io(error) => io_error::kind(error),
        // native-tls wraps an error of the network during the handshake.
        sqlx::Error::Tls(error) => {
            io_error::cause(error.as_ref()).map_or(ErrorKind::Rejected, io_error::kind)
        }
        // PostgreSQL closed before TLS, or could not start a process. sqlx does not look for EOF.
        sqlx::Error::Protocol(message)
            if message.contains("from SSLRequest: 0x00")
                || message.contains("from SSLRequest: 0x45") =>
        {
            ErrorKind::Unavailable
        }
        sqlx::Error::Database(error) => {
            let state = error.code();
            let state = state.as_deref().unwrap_or_default();
            match number(error.as_ref()) {
                Some(number) => mysql_number::kind(number, state),
                None => sqlstate::kind(state, error.message()),
            }
        }
        sqlx::Error::PoolTimedOut => ErrorKind::Unavailable,
        _ => ErrorKind::Rejected,
    }
}

/// Returns what a server's answer says beyond its kind.
pub(super) fn finding(error: &sqlx::Error) -> Finding {
    let Some(error) = error.as_database_error() else {
        return Finding::Nothing;
    };
    match number(error) {
        Some(number) => mysql_number::finding(number, error.message()),
        None => sqlstate::finding(error.code().as_deref().unwrap_or_default(), error.message()),
    }
}

/// Returns MySQL's error number, which is more precise than its SQLSTATE.
#[cfg(feature = "mysql")]
pub(super) fn number(error: &dyn DatabaseError) -> Option<u16> {
    Some(
        error
            .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()?
            .number(),
    )
}

#[cfg(not(feature = "mysql"))]
pub(super) fn number(_: &dyn DatabaseError) -> Option<u16> {
    None
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the handshake failed")]
    struct Wrapped(#[source] io::Error);

    #[test]
    fn a_lost_handshake_is_transient_and_an_invalid_certificate_is_not() {
        let tls = |kind: io::ErrorKind| sqlx::Error::Tls(Box::new(Wrapped(kind.into())));
        let protocol = |text: &str| sqlx::Error::Protocol(text.into());
        for (error, expected) in [
            (tls(io::ErrorKind::ConnectionReset), ErrorKind::Unavailable),
            (tls(io::ErrorKind::UnexpectedEof), ErrorKind::Unavailable),
            (tls(io::ErrorKind::InvalidData), ErrorKind::Rejected),
            (
                sqlx::Error::Tls("server does not support TLS".into()),
                ErrorKind::Rejected,
            ),
            (
                protocol("unexpected response from SSLRequest: 0x00"),
                ErrorKind::Unavailable,
            ),
            (
                protocol("unexpected response from SSLRequest: 0x48"),
                ErrorKind::Rejected,
            ),
        ] {
            assert_eq!(error_kind(&error), expected, "{error:?}");
        }
    }
}
