//! What a source shows, and where its limits end.

use super::*;

#[test]
fn a_target_shows_no_secret() {
    assert_eq!(
        target("postgres://user:s3cret@db.internal/app?sslmode=require"),
        "db.internal:5432/app"
    );
    assert_eq!(
        target("mysql://user:s3cret@db.internal:3307/app"),
        "db.internal:3307/app"
    );
    assert_eq!(
        target("postgres://user:s3cret@localhost/app?host=/var/run/pg"),
        "/var/run/pg:5432/app"
    );
    assert_eq!(target("sqlite::memory:"), ":memory:");
    assert_eq!(target("user:s3cret@nowhere"), "");
    // Of a password that is not percent-encoded, the beginning looks like a port.
    for rest in ["/s3cret", "?s3cret", "#s3cret", "/app?host=s3cret"] {
        assert_eq!(
            target(&format!("postgres://app:42{rest}@db.internal/app")),
            ""
        );
    }
}

#[test]
fn a_limit_has_its_limits() {
    for (asked, given) in [(0, 1), (7, 7), (usize::MAX, 10_000)] {
        assert_eq!(
            Source::env("X").max_connections(asked).max_connections,
            given
        );
    }
}

#[test]
fn debug_shows_no_secret() {
    let source = Source::env("X").or("postgres://user:s3cret@host/app");
    assert!(!format!("{source:?}").contains("s3cret"), "{source:?}");
}

#[test]
fn an_unset_variable_is_named() {
    let error = Source::env("REUSE_DB_NO_SUCH_VARIABLE")
        .url()
        .expect_err("unset");
    assert!(
        error
            .to_string()
            .starts_with("the environment variable `REUSE_DB_NO_SUCH_VARIABLE` is not set"),
        "{error}"
    );
}
