//! The meaning of the answers of PostgreSQL, of the proxies before it, and of SQLite.

use crate::error::{ErrorKind, Finding};
use crate::response::Outcome;

/// Returns the kind of an error of connecting.
pub(super) fn kind(state: &str, message: &str) -> ErrorKind {
    match state {
        // Too many connections; for Aurora DSQL, too many new ones in a second.
        "53300" | "53400" => ErrorKind::Saturated,
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
    const SATURATED: [&str; 5] = [
        "Timed-out waiting to acquire database connection",
        "Connections rate limit exceeded",
        // Aurora DSQL.
        "too many open connections",
        // "Max client connections reached", and "(EMAXCONN) max client connections reached".
        "ax client connections reached",
        "ax clients reached",
    ];
    // A suspended server that is starting.
    const UNAVAILABLE: [&str; 3] = [
        // Aurora DSQL.
        "waking up cluster",
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

/// Returns what an answer says beyond its kind.
pub(super) fn finding(state: &str, message: &str) -> Finding {
    if is_throttled(message) {
        Finding::Throttled
    } else if rejects_sign_in(state, message) {
        Finding::SignInRejected
    } else {
        Finding::Nothing
    }
}

/// Returns `true` for the texts of proxies that had no session in time, or limit the rate of new
/// connections. A connection to such a proxy takes no slot of the server.
fn is_throttled(message: &str) -> bool {
    const THROTTLED: [&str; 4] = [
        // Aurora DSQL, with 53400.
        "rate exceeded",
        "query_wait_timeout",
        "Timed-out waiting to acquire database connection",
        "Connections rate limit exceeded",
    ];
    THROTTLED.iter().any(|words| message.contains(words))
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
    // RDS Proxy limits the rate of sign-ins by IAM. Aurora DSQL does not like the token.
    let is_tokens = [
        "too many competing",
        "unable to accept connection, access denied",
    ];
    is_class_28 || is_poolers || is_tokens.iter().any(|words| message.contains(words))
}

/// Returns the outcome of a handler that met an answer of PostgreSQL or SQLite.
pub(super) fn outcome(code: &str, message: &str) -> Outcome {
    match code {
        // A cached plan must not change its result type; unknown statement; its name is taken;
        // wrong parameters for it.
        "0A000" | "26000" | "42P05" | "08P01" => Outcome::Stale,
        // A value of another type than the one that the client has prepared the statement with: its
        // bytes are invalid or hold a zero, or the statement no longer fits its column.
        "22P03" | "22021" | "42804" | "42883" => Outcome::Stale,
        // The OID of a type that was dropped and created again. The text of an internal error is
        // not translated.
        "42704" => Outcome::Stale,
        // The server or the session is read-only, as after a failover.
        "25006" => Outcome::Broken,
        // The user has lost a right. After a rotation, a new connection may sign in as another.
        "42501" => Outcome::Failure,
        "XX000" if message.contains("cache lookup failed") => Outcome::Stale,
        // The network, the server's end, its memory.
        _ if ["08", "53", "57", "XX"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            Outcome::Failure
        }
        // SQLite: the schema has changed.
        _ if code.len() < 5 && code.parse().is_ok_and(|code: u16| code & 0xff == 17) => {
            Outcome::Stale
        }
        _ => Outcome::Rejected,
    }
}

/// The answers that no server of the test bench can be made to give. The bench's test `retries`
/// meets the others.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_answers_have_their_kind() {
        use ErrorKind::{Rejected, Saturated, Unavailable};

        for (state, message, kind) in [
            ("53200", "out of memory", Unavailable),
            (
                "53400",
                "Unable to accept connection, rate exceeded.",
                Saturated,
            ),
            (
                "XX000",
                "unable to accept connection, waking up cluster, please retry later",
                Unavailable,
            ),
            (
                "57P02",
                "terminating connection because of crash",
                Unavailable,
            ),
            (
                "57014",
                "canceling authentication due to timeout",
                Unavailable,
            ),
            ("08006", "connection failure", Unavailable),
            (
                "55000",
                "database \"app\" is not currently accepting connections",
                Unavailable,
            ),
            ("08P01", "database \"app\" is disabled", Unavailable),
            (
                "08P01",
                "client connections exceeded (max_db_client_connections)",
                Saturated,
            ),
            ("08P01", "bouncer resources exhaustion", Saturated),
            ("08P01", "no memory for pool", Unavailable),
            (
                "08P01",
                "server login has been failing, try again later",
                Unavailable,
            ),
            (
                "08P01",
                "server login has been failing, cached error: connect timeout",
                Unavailable,
            ),
            (
                "08P01",
                "server login has been failing, cached error: password authentication failed",
                Rejected,
            ),
            (
                "",
                "Timed-out waiting to acquire database connection",
                Saturated,
            ),
            ("", "Connections rate limit exceeded", Saturated),
            ("XX000", "Max client connections reached", Saturated),
            (
                "XX000",
                "(EMAXCONNSESSION) max clients reached in session mode - max clients are limited to \
                 pool_size: 15",
                Saturated,
            ),
            ("XX000", "Couldn't connect to compute node", Unavailable),
            ("XX000", "Control plane request failed", Unavailable),
            ("XX000", "Tenant or user not found", Rejected),
            (
                "",
                "This RDS Proxy has no credentials for the role app",
                Rejected,
            ),
            // SQLite: recovering, of an old snapshot, in a shared cache; a full disk.
            ("261", "database is locked", Unavailable),
            ("517", "database is locked", Unavailable),
            ("262", "database table is locked", Unavailable),
            ("13", "database or disk is full", Rejected),
        ] {
            assert_eq!(super::kind(state, message), kind, "{state}: {message}");
        }
    }

    #[test]
    fn only_an_answer_about_user_or_password_rejects_the_sign_in() {
        for (state, message, expected) in [
            ("28P01", "Passwort-Authentifizierung fehlgeschlagen", true),
            ("28000", "role \"app\" is not permitted to log in", true),
            ("28000", "PAM authentication failed for user \"app\"", true),
            ("08P01", "password authentication failed", true),
            ("08P01", "SASL authentication failed", true),
            ("08P01", "no such user: app", true),
            (
                "",
                "This RDS Proxy has no credentials for the role app",
                true,
            ),
            ("", "too many competing requests", true),
            ("XX000", "unable to accept connection, access denied", true),
            (
                "28000",
                "no pg_hba.conf entry for host \"127.0.0.1\"",
                false,
            ),
            (
                "3D000",
                "database \"authentication failed\" does not exist",
                false,
            ),
            ("08P01", "no such database: app", false),
            // An extended code of SQLite.
            ("283", "recovered WAL", false),
        ] {
            assert_eq!(
                rejects_sign_in(state, message),
                expected,
                "{state}: {message}"
            );
        }
    }
}
