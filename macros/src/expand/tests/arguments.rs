//! The arguments, and the message of each mistake in them.

use super::{assert_error, assert_has, assert_has_not, errors, pretty};

const HANDLER: &str = "async fn handler(db: &mut PgConnection) -> Out { body }";

#[track_caller]
fn assert_argument_error(args: &str, message: &str, at: &str) {
    assert_error(args, HANDLER, message, at);
}

#[test]
fn an_unknown_argument_suggests_a_similar_one() {
    let expected = "(expected one of `env`, `source`, `with`, `crate`)";
    for (name, suggestion) in [
        ("envv", ", did you mean `env`?"),
        ("crates", ", did you mean `crate`?"),
        ("Source", ", did you mean `source`?"),
        ("schema", ""),
    ] {
        assert_argument_error(
            &format!("{name} = x"),
            &format!("unknown argument `{name}`{suggestion} {expected}"),
            name,
        );
    }
    assert_error(
        "",
        "async fn handler(#[db(nam = x)] db: &mut C) -> Out { body }",
        "unknown argument `nam`, did you mean `name`? (expected one of `env`, `source`, `name`)",
        "nam",
    );
}

#[test]
fn a_setting_points_to_the_method_of_source() {
    for (name, method) in [
        ("url", "or(\"…\")"),
        ("database_url", "or(\"…\")"),
        ("pool", "max_connections(…)"),
        ("max_connections", "max_connections(…)"),
        ("timeout", "connect_timeout(…)"),
        ("password", "credentials(…)"),
        ("read_write", "read_write()"),
    ] {
        let source = format!("source = Source::env(\"DATABASE_URL\").{method}");
        assert_argument_error(
            &format!("{name} = 3"),
            &format!("`{name}` is a setting of `Source`: write `{source}`"),
            name,
        );
    }
}

#[test]
fn a_second_argument_of_one_meaning_is_an_error() {
    assert_argument_error(
        "env = \"A\", env = \"B\"",
        "`env` is given twice: remove one",
        "env",
    );
    assert_argument_error(
        "env = \"A\", source = B",
        "`env` and `source` exclude each other: write `source = Source::env(\"…\")` alone",
        "source",
    );
    for args in ["env = \"A\", source = B", "source = B, env = \"A\""] {
        assert_has(&pretty(args, HANDLER), "::of_handler(\n    B,");
    }
}

#[test]
fn an_argument_without_a_value_is_an_error() {
    let message = "`env` needs a value: write `env = \"DATABASE_URL\"`";
    for args in ["env", "env = ", "env = ,", "env(\"A\")", "env: \"A\""] {
        assert_argument_error(args, message, "env");
    }
    assert_argument_error(
        "source",
        "`source` needs a value: write `source = Source::env(\"DATABASE_URL\")`",
        "source",
    );
}

#[test]
fn an_argument_without_a_name_is_an_error() {
    assert_argument_error(
        "\"A\"",
        "an argument has a name: write `env = \"A\"`",
        "\"A\"",
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
fn env_takes_the_name_of_a_variable() {
    assert_argument_error(
        "env = \" \"",
        "`env` names an environment variable: write `env = \"DATABASE_URL\"`",
        "\" \"",
    );
    let a_url = "`env` names the environment variable that contains the URL: \
                 write `env = \"DATABASE_URL\"`";
    for args in ["env = \"postgres://u@h\"", "\"postgres://u@h\""] {
        assert_argument_error(args, a_url, "\"postgres://u@h\"");
    }
    let not_a_string = "`env` takes a string literal: write `env = \"DATABASE_URL\"`, \
                        or `source = Source::env(…)` for a constant";
    assert_argument_error("env = NAME", not_a_string, "NAME");
    assert_argument_error("env = 3", not_a_string, "3");
}

#[test]
fn an_argument_at_the_wrong_level_is_an_error() {
    assert_argument_error(
        "name = POOL",
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
}

#[test]
fn with_takes_a_name_and_crate_takes_a_path() {
    let with = "`with` names a function: write `with = handler_with`";
    for (value, at) in [
        ("\"x\"", "\"x\""),
        ("a::b", "a"),
        ("x()", "x"),
        ("fn", "fn"),
        ("3", "3"),
        ("{ x }", "{ x }"),
    ] {
        assert_argument_error(&format!("with = {value}"), with, at);
    }
    let path = "`crate` takes a path without quotes: write `crate = my_crate::reuse_db`";
    for (value, at) in [("\"x\"", "\"x\""), ("3", "3"), ("(x)", "(")] {
        assert_argument_error(&format!("crate = {value}"), path, at);
    }
    for (args, at) in [("crate = x y", "y"), ("env = \"A\" with = x", "with")] {
        assert_argument_error(args, "expected `,`", at);
    }
    assert_argument_error(
        "with = r#handler",
        "`handler` is the function without the database: \
         write another name, like `with = handler_with`",
        "r#handler",
    );
}

#[test]
fn with_and_crate_replace_the_default_names() {
    let expansion = pretty("with = on, crate = crate::a::kept,", HANDLER);
    for text in [
        "\nasync fn on(db: &mut PgConnection)",
        "let output = on(&mut open).await;",
        "static HANDLER_DB: crate::a::kept::Exclusive<PgConnection>",
        "crate::a::kept::__private::open(&HANDLER_DB, &mut lease)",
    ] {
        assert_has(&expansion, text);
    }
    assert_has_not(&expansion, "reuse_db");
    assert_has_not(&expansion, "handler_with");
    let expansion = pretty("with = r#match", HANDLER);
    assert_has(&expansion, "\nasync fn r#match(db: &mut PgConnection)");
    let expansion = pretty("crate = ::kept", HANDLER);
    assert_has(&expansion, "return ::kept::FromError::from_error(error)");
}

#[test]
fn a_function_with_wrong_arguments_is_still_expanded() {
    let expansion = pretty("envv = \"X\"", HANDLER);
    assert_has(&expansion, "Source::env(\"DATABASE_URL\")");
    assert_has(&expansion, "async fn handler() -> Out");
    let expansion = pretty("envv = \"X\", env = \"Y\"", HANDLER);
    assert_has(&expansion, "Source::env(\"Y\")");
}

#[test]
fn all_mistakes_are_reported_in_one_build() {
    let found = errors(
        "envv = 1, env = \"A\", env = \"B\"",
        "fn h(db: &mut C) -> Out { }",
    );
    let places: Vec<_> = found.iter().map(|(_, at)| at.as_str()).collect();
    assert_eq!(places, ["envv", "env", "fn"]);
}
