//! What the errors of servers and proxies mean while connecting: the table in the docs of [`Kind`].

use std::error::Error as StdError;
use std::io;
use std::io::ErrorKind;

use sqlx::error::DatabaseError;

use crate::Kind;

pub(super) fn kind(error: &sqlx::Error) -> Kind {
    match error {
        sqlx::Error::Io(error) => of_io(error),
        // native-tls wraps what the network did in the middle of the handshake.
        sqlx::Error::Tls(error) => cause(error.as_ref()).map_or(Kind::Rejected, of_io),
        // A PostgreSQL that hung up, or could not start a process, before TLS: sqlx does not look for the end.
        sqlx::Error::Protocol(message)
            if message.contains("from SSLRequest: 0x00")
                || message.contains("from SSLRequest: 0x45") =>
        {
            Kind::Unavailable
        }
        sqlx::Error::Database(error) => {
            let state = error.code();
            let state = state.as_deref().unwrap_or_default();
            match number(error.as_ref()) {
                Some(number) => of_number(number, state),
                None => of_state(state, error.message()),
            }
        }
        sqlx::Error::PoolTimedOut => Kind::Unavailable,
        _ => Kind::Rejected,
    }
}

fn of_io(error: &io::Error) -> Kind {
    match error.kind() {
        // A socket's path that is not ours, or cannot be one. One that is not there may be the one of a
        // server that is starting.
        ErrorKind::PermissionDenied | ErrorKind::InvalidInput | ErrorKind::Unsupported => {
            Kind::Rejected
        }
        // rustls: a certificate that will not do.
        ErrorKind::InvalidData => Kind::Rejected,
        _ => Kind::Unavailable,
    }
}

fn cause<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e io::Error> {
    let mut error = Some(error);
    while let Some(this) = error {
        if let Some(found) = this.downcast_ref() {
            return Some(found);
        }
        error = this.source();
    }
    None
}

/// MySQL, MariaDB, and RDS Proxy in their place.
fn of_number(number: u16, state: &str) -> Kind {
    match number {
        // Too many connections: of the server, of the user; or in an hour; no thread for another;
        // RDS Proxy has no connection free.
        1040 | 1203 | 1226 | 1135 | 9501 => Kind::Saturated,
        // The server is out of memory, shutting down, or offline; the host is blocked for its many failed
        // connections, or the session was ended.
        1041 | 1053 | 1079 | 1129 | 1927 | 3032 => Kind::Unavailable,
        // The network; a node of a cluster that is not ready (1047).
        _ if state == "08S01" => Kind::Unavailable,
        _ => Kind::Rejected,
    }
}

/// PostgreSQL and SQLite, and the proxies before PostgreSQL.
fn of_state(state: &str, message: &str) -> Kind {
    match state {
        "53300" => Kind::Saturated,
        // Out of memory; starting, stopping or crashed.
        "53200" | "57P01" | "57P02" | "57P03" => Kind::Unavailable,
        // Signing in, or setting up, took the server too long.
        "57014" => Kind::Unavailable,
        "08P01" => of_proxy(message),
        _ if state.starts_with("08") => Kind::Unavailable,
        _ if is_busy(state) => Kind::Unavailable,
        _ => of_proxy_without_a_state(message),
    }
}

/// SQLite: busy or locked, whatever more its code says.
fn is_busy(code: &str) -> bool {
    // A SQLSTATE has five characters.
    code.len() < 5
        && code
            .parse::<u16>()
            .is_ok_and(|code| matches!(code & 0xff, 5 | 6))
}

/// PgBouncer says 08P01 to everything, and puts it in the place of the server's own code. Its words are
/// not translated.
fn of_proxy(message: &str) -> Kind {
    // Of the server that it could not sign in at: it will not be let in later either.
    const REJECTED: [&str; 3] = [
        "authentication failed",
        "no pg_hba.conf entry",
        "does not exist",
    ];
    const SATURATED: [&str; 8] = [
        "no more connections allowed",
        "client connections exceeded",
        "query_wait_timeout",
        "resources exhaust",
        // The server's own.
        "remaining connection slots are reserved",
        "too many clients already",
        "too many connections for",
        "Timed-out waiting to acquire database connection",
    ];
    const UNAVAILABLE: [&str; 7] = [
        "server down",
        "client_login_timeout",
        "no memory",
        "server login has been failing",
        "cannot connect to server",
        "shutting down",
        // The server's own.
        "the database system is",
    ];
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    if says(&REJECTED) {
        Kind::Rejected
    } else if says(&SATURATED) {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server or a proxy says, in the rows that no server here can be made to say too.
    #[test]
    fn what_is_said_has_its_kind() {
        use Kind::{Rejected, Saturated, Unavailable};

        for (state, message, kind) in [
            ("53300", "sorry, too many clients already", Saturated),
            ("53200", "out of memory", Unavailable),
            (
                "57P01",
                "terminating connection due to administrator command",
                Unavailable,
            ),
            (
                "57P02",
                "terminating connection because of crash",
                Unavailable,
            ),
            ("57P03", "the database system is starting up", Unavailable),
            (
                "57014",
                "canceling authentication due to timeout",
                Unavailable,
            ),
            ("08006", "connection failure", Unavailable),
            ("28P01", "password authentication failed for user", Rejected),
            ("28000", "role does not exist", Rejected),
            ("3D000", "database does not exist", Rejected),
            ("42601", "syntax error", Rejected),
            (
                "08P01",
                "no more connections allowed (max_client_conn)",
                Saturated,
            ),
            (
                "08P01",
                "client connections exceeded (max_db_client_connections)",
                Saturated,
            ),
            ("08P01", "bouncer resources exhaustion", Saturated),
            ("08P01", "query_wait_timeout", Saturated),
            ("08P01", "sorry, too many clients already", Saturated),
            ("08P01", "server down", Unavailable),
            ("08P01", "client_login_timeout (server down)", Unavailable),
            ("08P01", "no memory for pool", Unavailable),
            ("08P01", "pgbouncer cannot connect to server", Unavailable),
            (
                "08P01",
                "server login has been failing, try again later (server_login_retry)",
                Unavailable,
            ),
            (
                "08P01",
                "server login has been failing, cached error: connect timeout (server_login_retry)",
                Unavailable,
            ),
            (
                "08P01",
                "server login has been failing, cached error: password authentication failed for user \"app\"",
                Rejected,
            ),
            ("08P01", "the database system is shutting down", Unavailable),
            ("08P01", "password authentication failed", Rejected),
            (
                "",
                "Timed-out waiting to acquire database connection",
                Saturated,
            ),
            ("", "Connections rate limit exceeded", Saturated),
            (
                "",
                "This RDS Proxy has no credentials for the role app",
                Rejected,
            ),
            // SQLite: busy, locked; recovering, of an old snapshot, in a shared cache; a full disk.
            ("5", "database is locked", Unavailable),
            ("6", "database table is locked", Unavailable),
            ("261", "database is locked", Unavailable),
            ("517", "database is locked", Unavailable),
            ("262", "database table is locked", Unavailable),
            ("13", "database or disk is full", Rejected),
        ] {
            assert_eq!(of_state(state, message), kind, "{state}: {message}");
        }
        for (number, state, kind) in [
            (1040, "08004", Saturated),
            (1203, "42000", Saturated),
            (1226, "42000", Saturated),
            (1135, "HY000", Saturated),
            (9501, "HY000", Saturated),
            (1041, "HY000", Unavailable),
            (1047, "08S01", Unavailable),
            (1053, "08S01", Unavailable),
            (1079, "08S01", Unavailable),
            (1129, "HY000", Unavailable),
            (1158, "08S01", Unavailable),
            (1927, "70100", Unavailable),
            (3032, "HY000", Unavailable),
            (1044, "42000", Rejected),
            (1045, "28000", Rejected),
            (1049, "42000", Rejected),
            (1251, "08004", Rejected),
            (4151, "HY000", Rejected),
        ] {
            assert_eq!(of_number(number, state), kind, "{number}");
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("the handshake failed")]
    struct Wrapped(#[source] io::Error);

    #[test]
    fn what_the_network_did_to_a_handshake_may_pass_and_a_certificate_does_not() {
        let tls = |kind: ErrorKind| sqlx::Error::Tls(Box::new(Wrapped(kind.into())));
        for (error, expected) in [
            (tls(ErrorKind::ConnectionReset), Kind::Unavailable),
            (tls(ErrorKind::UnexpectedEof), Kind::Unavailable),
            (tls(ErrorKind::InvalidData), Kind::Rejected),
            (
                sqlx::Error::Tls("server does not support TLS".into()),
                Kind::Rejected,
            ),
            (
                sqlx::Error::Protocol("unexpected response from SSLRequest: 0x00".into()),
                Kind::Unavailable,
            ),
            (
                sqlx::Error::Protocol("unexpected response from SSLRequest: 0x48".into()),
                Kind::Rejected,
            ),
        ] {
            assert_eq!(kind(&error), expected, "{error:?}");
        }
    }
}
