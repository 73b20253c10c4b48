//! The errors that no server of the test bench can be made to return. The bench's test `retries`
//! meets the others.

use super::*;

#[test]
fn rare_codes_and_texts_are_classified() {
    use ErrorKind::{Rejected, Saturated, Unavailable};

    for (state, message, kind) in [
        ("53200", "out of memory", Unavailable),
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
        assert_eq!(of_state(state, message), kind, "{state}: {message}");
    }
    for (number, state, kind) in [
        (1135, "HY000", Saturated),
        (9501, "HY000", Saturated),
        (1041, "HY000", Unavailable),
        (1047, "08S01", Unavailable),
        (1053, "08S01", Unavailable),
        (1079, "08S01", Unavailable),
        (1158, "08S01", Unavailable),
        (1927, "70100", Unavailable),
        (3032, "HY000", Unavailable),
        (1129, "HY000", Rejected),
        (1251, "08004", Rejected),
        (4151, "HY000", Rejected),
    ] {
        assert_eq!(of_number(number, state), kind, "{number}");
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
    for (number, expected) in [
        (1045, true),
        (1698, true),
        (1862, true),
        (3118, true),
        (4151, true),
        (1044, false),
        (1049, false),
        (1130, false),
        (3955, false),
    ] {
        assert_eq!(rejects_sign_in_by_number(number), expected, "{number}");
    }
}

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
