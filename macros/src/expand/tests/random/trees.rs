//! Random arguments of the attribute.

use proptest::prelude::*;
use proptest::sample::select;

const KEYS: [&str; 8] = [
    "env", "source", "inject", "crate", "name", "envv", "keep", "r#env",
];

const TOKENS: [&str; 30] = [
    "env",
    "source",
    "inject",
    "crate",
    "name",
    "self",
    "async",
    "fn",
    "r#fn",
    "db",
    "_",
    "ß",
    "=",
    "==",
    ",",
    ",",
    ":",
    "::",
    "&",
    "'a",
    "#",
    "!",
    "3",
    "1.5",
    "'x'",
    "\"URL\"",
    "\"postgres://u:p@h/d\"",
    "b\"x\"",
    "c\"x\"",
    "\"\"",
];

/// Arguments that are right for any function.
pub(super) fn right_arguments() -> impl Strategy<Value = String> {
    let place = select(vec![
        "",
        "env = \"READER_URL\"",
        "source = SOURCE",
        "source = config::DB.keep(2).or(\"sqlite::memory:\")",
        "source = const { Source::env(\"A\") }",
        "source = if cfg!(test) { A } else { B }",
    ]);
    let path = select(vec![
        "",
        "crate = ::kept",
        "crate = crate::db::reuse_db",
        "crate = self::r#in",
    ]);
    (place, path, any::<bool>()).prop_map(|(place, path, comma)| {
        let all: Vec<_> = [place, path]
            .into_iter()
            .filter(|one| !one.is_empty())
            .collect();
        let end = if comma && !all.is_empty() { "," } else { "" };
        all.join(", ") + end
    })
}

/// Arguments that make sense or none.
pub(super) fn any_arguments() -> impl Strategy<Value = String> {
    prop_oneof![
        token_trees(),
        prop::collection::vec((select(KEYS.to_vec()), token_trees()), 0..5).prop_map(|arguments| {
            let arguments: Vec<_> = arguments
                .into_iter()
                .map(|(key, value)| format!("{key} = {value}"))
                .collect();
            arguments.join(", ")
        }),
    ]
}

fn token_trees() -> impl Strategy<Value = String> {
    let token = select(TOKENS.to_vec()).prop_map(str::to_owned);
    let trees = token.prop_recursive(3, 24, 6, |inner| {
        let group = select(vec![("(", ")"), ("[", "]"), ("{", "}")]);
        (group, prop::collection::vec(inner, 0..6))
            .prop_map(|((open, close), inner)| format!("{open} {} {close}", inner.join(" ")))
    });
    prop::collection::vec(trees, 0..6).prop_map(|trees| trees.join(" "))
}
