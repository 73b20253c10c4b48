//! What each mistake in the arguments is told.

use super::{assert_error, assert_has, errors, pretty};

const HANDLER: &str = "async fn handler(db: &mut PgConnection) -> Out { body }";

#[test]
fn mistakes_in_arguments() {
    let known = "(`env = \"…\"` and `source = …` are known)";
    assert_error(
        "envv = \"X\"",
        HANDLER,
        &format!("unknown argument `envv`, did you mean `env`? {known}"),
        "envv",
    );
    assert_error(
        "timeout = 3",
        HANDLER,
        &format!("unknown argument `timeout` {known}"),
        "timeout",
    );
    assert_error(
        "env = \"A\", env = \"B\"",
        HANDLER,
        "`env` is given twice: remove one",
        "env",
    );
    assert_error(
        "env = \"A\", source = B",
        HANDLER,
        "`env` and `source` exclude each other: write `source = Source::env(\"…\")` with what else is needed",
        "source",
    );
    assert_error(
        "env",
        HANDLER,
        "`env` needs a value: write `env = \"DATABASE_URL\"`",
        "env",
    );
    assert_error(
        "source",
        HANDLER,
        "`source` needs a value: write `source = Source::env(\"DATABASE_URL\")`",
        "source",
    );
    assert_error(
        "\"A\"",
        HANDLER,
        "an argument has a name: write `env = \"A\"`",
        "\"A\"",
    );
    assert_error(
        "env = \" \"",
        HANDLER,
        "`env` names an environment variable: write `env = \"DATABASE_URL\"`",
        "\" \"",
    );
    for url in ["env = \"postgres://u@h\"", "\"postgres://u@h\""] {
        assert_error(
            url,
            HANDLER,
            "`env` names an environment variable, which has the URL: write `env = \"DATABASE_URL\"`",
            "\"postgres://u@h\"",
        );
    }
    for args in ["env = ", "env = ,", "env(\"A\")", "env: \"A\""] {
        assert_error(
            args,
            HANDLER,
            "`env` needs a value: write `env = \"DATABASE_URL\"`",
            "env",
        );
    }
    let not_a_string = "`env` is a string literal, like `env = \"DATABASE_URL\"`: for a name from elsewhere write `source = Source::env(…)`";
    assert_error("env = NAME", HANDLER, not_a_string, "NAME");
    assert_error("env = 3", HANDLER, not_a_string, "3");
}

#[test]
fn a_later_argument_is_unknown() {
    let known = "(`env = \"…\"` and `source = …` are known)";
    for name in ["crate", "inject", "name"] {
        assert_error(
            &format!("{name} = x"),
            HANDLER,
            &format!("unknown argument `{name}` {known}"),
            name,
        );
    }
}

#[test]
fn with_bad_arguments_the_function_is_expanded_all_the_same() {
    let expansion = pretty("envv = \"X\"", HANDLER);
    assert_has(&expansion, "Source::env(\"DATABASE_URL\")");
    assert_has(&expansion, "async fn handler() -> Out");
    let expansion = pretty("envv = \"X\", env = \"Y\"", HANDLER);
    assert_has(&expansion, "Source::env(\"Y\")");
}

#[test]
fn every_mistake_is_told_at_once() {
    let found = errors(
        "envv = 1, env = \"A\", env = \"B\"",
        "fn h(db: &mut C) -> Out { }",
    );
    assert_eq!(
        found.iter().map(|(_, at)| at.as_str()).collect::<Vec<_>>(),
        ["envv", "env", "fn"]
    );
}
