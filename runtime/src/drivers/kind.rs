//! What the errors of servers and proxies mean while connecting: the table in the docs of [`Kind`].

use std::io::ErrorKind;

use sqlx::error::DatabaseError;

use crate::Kind;

pub(super) fn kind(error: &sqlx::Error) -> Kind {
    match error {
        sqlx::Error::Io(error) => match error.kind() {
            // A socket's path that is not ours, or cannot be one. One that is not there may be the
            // one of a server that is starting.
            ErrorKind::PermissionDenied | ErrorKind::InvalidInput | ErrorKind::Unsupported => {
                Kind::Rejected
            }
            // rustls: a certificate that will not do.
            ErrorKind::InvalidData => Kind::Rejected,
            _ => Kind::Unavailable,
        },
        sqlx::Error::Database(error) => match number(error.as_ref()) {
            Some(number) => of_number(number),
            None => of_state(error.code().as_deref().unwrap_or_default(), error.message()),
        },
        sqlx::Error::PoolTimedOut => Kind::Unavailable,
        _ => Kind::Rejected,
    }
}

/// MySQL, MariaDB, and RDS Proxy in their place.
fn of_number(number: u16) -> Kind {
    match number {
        // Too many connections: of the server, of the user; or in an hour; no thread for another;
        // RDS Proxy has no connection free.
        1040 | 1203 | 1226 | 1135 | 9501 => Kind::Saturated,
        // The server is out of memory, or shutting down; the host is blocked for its many failed
        // connections, or the session was ended.
        1041 | 1053 | 1079 | 1129 | 1927 => Kind::Unavailable,
        _ => Kind::Rejected,
    }
}

/// PostgreSQL and SQLite, and the proxies before PostgreSQL.
fn of_state(state: &str, message: &str) -> Kind {
    match state {
        "53300" => Kind::Saturated,
        // Out of memory; starting, stopping or crashed.
        "53200" | "57P01" | "57P02" | "57P03" => Kind::Unavailable,
        "08P01" => of_proxy(message),
        _ if state.starts_with("08") => Kind::Unavailable,
        // SQLite: busy, locked.
        "5" | "6" => Kind::Unavailable,
        _ => of_proxy_without_a_state(message),
    }
}

/// PgBouncer says 08P01 to everything, and puts it in the place of the server's own code. Its words are
/// not translated.
fn of_proxy(message: &str) -> Kind {
    const SATURATED: [&str; 6] = [
        "no more connections allowed",
        "query_wait_timeout",
        // The server's own.
        "remaining connection slots are reserved",
        "too many clients already",
        "too many connections for",
        "Timed-out waiting to acquire database connection",
    ];
    const UNAVAILABLE: [&str; 5] = [
        "server down",
        "server login has been failing",
        "cannot connect to server",
        "shutting down",
        // The server's own.
        "the database system is",
    ];
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    if says(&SATURATED) {
        Kind::Saturated
    } else if says(&UNAVAILABLE) {
        Kind::Unavailable
    } else {
        Kind::Rejected
    }
}

/// RDS Proxy for PostgreSQL, whose documentation has words and no codes.
fn of_proxy_without_a_state(message: &str) -> Kind {
    if message.contains("Timed-out waiting to acquire database connection")
        || message.contains("Connections rate limit exceeded")
    {
        return Kind::Saturated;
    }
    Kind::Rejected
}

/// MySQL's own error number, which says more than its SQLSTATE.
#[cfg(feature = "mysql")]
fn number(error: &dyn DatabaseError) -> Option<u16> {
    Some(
        error
            .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()?
            .number(),
    )
}

#[cfg(not(feature = "mysql"))]
fn number(_: &dyn DatabaseError) -> Option<u16> {
    None
}
