//! What each mistake in the arguments is told.

use super::{assert_error, assert_has, assert_has_not, errors, pretty};

const HANDLER: &str = "async fn handler(db: &mut PgConnection) -> Out { body }";

#[test]
fn mistakes_in_arguments() {
    let known = "(known are `env`, `source`, `with`, `crate`)";
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
        "crates = x",
        HANDLER,
        &format!("unknown argument `crates`, did you mean `crate`? {known}"),
        "crates",
    );
    assert_error(
        "max_connections = 3",
        HANDLER,
        "`max_connections` is a method of `Source`: write `source = Source::env(\"DATABASE_URL\").max_connections(…)`",
        "max_connections",
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
    for args in ["env = \"A\", source = B", "source = B, env = \"A\""] {
        assert_has(&pretty(args, HANDLER), "::new(B)");
    }
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
fn what_belongs_to_the_function_and_what_to_a_parameter() {
    assert_error(
        "name = POOL",
        HANDLER,
        "`name` belongs to one parameter: write `#[db(name = HANDLER_DB)]` on it",
        "name",
    );
    for (key, example) in [("with", "handler_with"), ("crate", "reuse_db")] {
        assert_error(
            "",
            &format!("async fn handler(#[db({key} = x)] db: &mut C) -> Out {{ body }}"),
            &format!(
                "`{key}` belongs to the function: write `#[reuse_db({key} = {example})]` on it"
            ),
            key,
        );
    }
    assert_error(
        "",
        "async fn handler(#[db(nam = x)] db: &mut C) -> Out { body }",
        "unknown argument `nam`, did you mean `name`? (known are `env`, `source`, `name`)",
        "nam",
    );
}

#[test]
fn names_and_paths() {
    let with = "this names a function: write `with = handler_with`";
    for (value, at) in [
        ("\"x\"", "\"x\""),
        ("a::b", "a"),
        ("x()", "x"),
        ("fn", "fn"),
        ("3", "3"),
        ("{ x }", "{ x }"),
    ] {
        assert_error(&format!("with = {value}"), HANDLER, with, at);
    }
    let path =
        "`crate` is the path of the runtime, without quotes: write `crate = my_crate::reuse_db`";
    for (value, at) in [("\"x\"", "\"x\""), ("3", "3"), ("(x)", "(")] {
        assert_error(&format!("crate = {value}"), HANDLER, path, at);
    }
    for (args, at) in [("crate = x y", "y"), ("env = \"A\" with = x", "inject")] {
        assert_error(args, HANDLER, "expected `,`", at);
    }
    assert_error(
        "with = r#handler",
        HANDLER,
        "`handler` is the function without the database: write another name for the one with it, like `with = handler_with`",
        "r#handler",
    );
    for args in ["=", "3", "{ env }", "::env"] {
        let found = errors(args, HANDLER);
        assert_eq!(
            found[0].0,
            "an argument has a name: write `env = \"…\"` or `source = …`"
        );
        assert_eq!(found.len(), 1, "{args}");
    }
}

#[test]
fn with_and_crate() {
    let expansion = pretty("with = on, crate = crate::a::kept,", HANDLER);
    assert_has(&expansion, "\nasync fn on(db: &mut PgConnection)");
    assert_has(&expansion, "let output = on(&mut open).await;");
    assert_has(
        &expansion,
        "static HANDLER_DB: crate::a::kept::Exclusive<PgConnection>",
    );
    assert_has(
        &expansion,
        "crate::a::kept::__private::open(&HANDLER_DB, &mut lease)",
    );
    assert_has_not(&expansion, "reuse_db");
    assert_has_not(&expansion, "handler_with");
    let expansion = pretty("with = r#match", HANDLER);
    assert_has(&expansion, "\nasync fn r#match(db: &mut PgConnection)");
    let expansion = pretty("crate = ::kept", HANDLER);
    assert_has(&expansion, "return ::kept::FromError::from_error(error)");
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
