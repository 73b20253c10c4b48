//! The classification of errors while connecting, by SQLSTATE and error number.

use std::error::Error as StdError;
use std::io;

use sqlx::error::DatabaseError;

use crate::error::{ErrorKind, Finding};

pub(super) fn error_kind(error: &sqlx::Error) -> ErrorKind {
    match error {
        sqlx::Error::Io(error) => of_io(error),
        // native-tls wraps an error of the network during the handshake.
        sqlx::Error::Tls(error) => cause(error.as_ref()).map_or(ErrorKind::Rejected, of_io),
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
                Some(number) => of_number(number, state),
                None => of_state(state, error.message()),
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
    let rejects_sign_in = match number(error) {
        Some(1129) => return Finding::HostBlocked,
        // The name of the limit is not translated.
        Some(1226) if error.message().contains("_per_hour") => return Finding::HourlyQuota,
        // RDS Proxy had no session in time.
        Some(9501) => return Finding::Throttled,
        Some(number) => rejects_sign_in_by_number(number),
        None if is_throttled(error.message()) => return Finding::Throttled,
        None => {
            let state = error.code();
            rejects_sign_in(state.as_deref().unwrap_or_default(), error.message())
        }
    };
    if rejects_sign_in {
        Finding::SignInRejected
    } else {
        Finding::Nothing
    }
}

/// Returns `true` for the texts of proxies that had no session in time, or limit the rate of new
/// connections. A connection to such a proxy takes no slot of the server.
fn is_throttled(message: &str) -> bool {
    const THROTTLED: [&str; 3] = [
        "query_wait_timeout",
        "Timed-out waiting to acquire database connection",
        "Connections rate limit exceeded",
    ];
    THROTTLED.iter().any(|words| message.contains(words))
}

/// MySQL and MariaDB: the password is wrong or missing (1045, 1698), the password has expired
/// (1862, in MariaDB 1820), or the account is locked (3118, in MariaDB 4151).
///
/// 1044 and 1130 are none: the user signed in and lacks rights on the database, which may not
/// exist, or no user may sign in from this host. Nor is 3955: the account is locked for days after
/// failed sign-ins, and more of them would not end that.
fn rejects_sign_in_by_number(number: u16) -> bool {
    matches!(number, 1045 | 1698 | 1820 | 1862 | 3118 | 4151)
}

/// PostgreSQL's class 28, which a role without LOGIN and RDS's IAM sign-in have too, and the texts
/// of poolers, which have one code for everything or none.
fn rejects_sign_in(state: &str, message: &str) -> bool {
    const POOLERS: [&str; 4] = [
        "authentication failed",
        "no such user",
        "no credentials for the role",
        "password that was provided",
    ];
    // A rule of the server about hosts and TLS. Its file's name is in the text of each language.
    if message.contains("pg_hba.conf") {
        return false;
    }
    let is_class_28 = state.len() == 5 && state.starts_with("28");
    let is_poolers = matches!(state, "08P01" | "") && POOLERS.iter().any(|w| message.contains(w));
    is_class_28 || is_poolers || message.contains("too many competing")
}

fn of_io(error: &io::Error) -> ErrorKind {
    match error.kind() {
        // A socket's path without permission or of the wrong kind. A missing one is transient: the
        // server may be starting.
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::Unsupported => ErrorKind::Rejected,
        // rustls: an invalid certificate.
        io::ErrorKind::InvalidData => ErrorKind::Rejected,
        _ => ErrorKind::Unavailable,
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

/// MySQL, MariaDB, and RDS Proxy in their endpoint.
fn of_number(number: u16, state: &str) -> ErrorKind {
    match number {
        // Too many connections to the server or for the user; the hourly quota; no thread left;
        // no free connection in RDS Proxy.
        1040 | 1203 | 1226 | 1135 | 9501 => ErrorKind::Saturated,
        // The server is out of memory, shutting down, or offline; the session was ended.
        1041 | 1053 | 1079 | 1927 | 3032 => ErrorKind::Unavailable,
        // The host is blocked after many failed connects. Each further one makes it worse.
        1129 => ErrorKind::Rejected,
        // The server's `init_connect` fails for this user.
        1184 => ErrorKind::Rejected,
        // The network; a cluster node that is not ready (1047).
        _ if state == "08S01" => ErrorKind::Unavailable,
        _ => ErrorKind::Rejected,
    }
}

/// PostgreSQL and SQLite, and the proxies before PostgreSQL.
fn of_state(state: &str, message: &str) -> ErrorKind {
    match state {
        "53300" => ErrorKind::Saturated,
        // Out of memory; starting, stopping or crashed.
        "53200" | "57P01" | "57P02" | "57P03" => ErrorKind::Unavailable,
        // Sign-in or set-up timed out at the server.
        "57014" => ErrorKind::Unavailable,
        // The database accepts no connections, as during its maintenance.
        "55000" => ErrorKind::Unavailable,
        "08P01" => of_proxy(message),
        _ if state.starts_with("08") => ErrorKind::Unavailable,
        _ if is_busy(state) => ErrorKind::Unavailable,
        _ => of_proxy_without_a_state(message),
    }
}

/// Returns `true` for SQLite's codes "busy" and "locked" and their extended codes.
fn is_busy(code: &str) -> bool {
    // Longer codes are SQLSTATEs.
    code.len() < 5
        && code
            .parse::<u16>()
            .is_ok_and(|code| matches!(code & 0xff, 5 | 6))
}

/// Classifies an error of PgBouncer by its text, which is not translated. PgBouncer uses 08P01 for
/// everything, also in place of the server's own code.
fn of_proxy(message: &str) -> ErrorKind {
    // Sign-in at the server failed for good.
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
        // Texts of the server itself.
        "remaining connection slots are reserved",
        "too many clients already",
        "too many connections for",
        "Timed-out waiting to acquire database connection",
    ];
    const UNAVAILABLE: [&str; 9] = [
        // During maintenance: DISABLE, or the server's own setting.
        "is disabled",
        "is not currently accepting connections",
        "server down",
        "client_login_timeout",
        "no memory",
        "server login has been failing",
        "cannot connect to server",
        "shutting down",
        // Texts of the server itself.
        "the database system is",
    ];
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    if says(&REJECTED) {
        ErrorKind::Rejected
    } else if says(&SATURATED) {
        ErrorKind::Saturated
    } else if says(&UNAVAILABLE) {
        ErrorKind::Unavailable
    } else {
        ErrorKind::Rejected
    }
}

/// Classifies an error of RDS Proxy for PostgreSQL, which is documented by text without a code, or
/// of a proxy that uses XX000 for everything: Supavisor (Supabase), and Neon's.
fn of_proxy_without_a_state(message: &str) -> ErrorKind {
    const SATURATED: [&str; 4] = [
        "Timed-out waiting to acquire database connection",
        "Connections rate limit exceeded",
        // "Max client connections reached", and "(EMAXCONN) max client connections reached".
        "ax client connections reached",
        "ax clients reached",
    ];
    // A suspended server that is starting.
    const UNAVAILABLE: [&str; 2] = [
        "ouldn't connect to compute node",
        "Control plane request failed",
    ];
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    if says(&SATURATED) {
        ErrorKind::Saturated
    } else if says(&UNAVAILABLE) {
        ErrorKind::Unavailable
    } else {
        ErrorKind::Rejected
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
mod tests;
