//! Bounds of a source's settings, and its output without secrets.

use super::*;

#[test]
fn max_connections_is_clamped() {
    for (set, effective) in [(0, 1), (7, 7), (usize::MAX, 10_000)] {
        assert_eq!(
            Source::env("X").max_connections(set).connection_limit(),
            effective
        );
    }
    // The test's process serves one invocation at a time.
    assert_eq!(Source::env("X").connection_limit(), 10);
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
