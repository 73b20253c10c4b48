//! The arguments of the attribute, and a message for every other key.

use proc_macro2::Ident;
use syn::Error;

use super::Level;

/// An argument of the attribute.
pub(super) struct Key {
    pub(super) name: &'static str,
    /// The level that accepts it. `None` for both levels.
    level: Option<Level>,
    pub(super) example: &'static str,
}

const KEYS: [Key; 5] = [
    Key {
        name: "env",
        level: None,
        example: "env = \"DATABASE_URL\"",
    },
    Key {
        name: "source",
        level: None,
        example: "source = Source::env(\"DATABASE_URL\")",
    },
    Key {
        name: "with",
        level: Some(Level::Function),
        example: "with = handler_with",
    },
    Key {
        name: "crate",
        level: Some(Level::Function),
        example: "crate = reuse_db",
    },
    Key {
        name: "name",
        level: Some(Level::Parameter),
        example: "name = HANDLER_DB",
    },
];

/// Methods of `Source`, each after the names that other libraries use for the same setting.
const SETTINGS: [(&[&str], &str); 16] = [
    (
        &["url", "uri", "dsn", "database", "database_url", "or"],
        "or(\"…\")",
    ),
    (
        &["pool", "pool_size", "max_size", "max_connections"],
        "max_connections(…)",
    ),
    (&["min_connections", "keep"], "keep(…)"),
    (&["verify_after"], "verify_after(…)"),
    (&["check_timeout"], "check_timeout(…)"),
    (
        &["timeout", "acquire_timeout", "connect_timeout"],
        "connect_timeout(…)",
    ),
    (&["attempt_timeout"], "attempt_timeout(…)"),
    (&["retry_base"], "retry_base(…)"),
    (&["retry_cap"], "retry_cap(…)"),
    (&["user", "password", "credentials"], "credentials(…)"),
    (
        &["idle_timeout", "idle_session_timeout"],
        "idle_session_timeout(…)",
    ),
    (&["lifetime", "max_lifetime"], "max_lifetime(…)"),
    (&["transaction_pooler"], "transaction_pooler()"),
    (&["read_write"], "read_write()"),
    (&["load_shedding"], "load_shedding(…)"),
    (&["after_connect", "on_connect"], "on_connect(…)"),
];

/// Returns the argument of that name, if the level accepts it.
pub(super) fn key(ident: &Ident, level: Level) -> syn::Result<&'static Key> {
    let name = ident.to_string();
    let is_accepted = |key: &&Key| key.level.is_none_or(|only| only == level);
    let message = match KEYS.iter().find(|key| key.name == name) {
        Some(key) if is_accepted(&key) => return Ok(key),
        Some(Key { example, .. }) => match level {
            Level::Function => {
                format!("`{name}` belongs to one parameter: write `#[db({example})]` on it")
            }
            Level::Parameter => {
                format!("`{name}` belongs to the function: write `#[reuse_db({example})]` on it")
            }
        },
        None => setting(&name).unwrap_or_else(|| {
            let keys: Vec<_> = KEYS
                .iter()
                .filter(is_accepted)
                .map(|key| key.name)
                .collect();
            unknown(&name, &keys)
        }),
    };
    Err(Error::new(ident.span(), message))
}

fn setting(name: &str) -> Option<String> {
    let (_, method) = SETTINGS.iter().find(|(names, _)| names.contains(&name))?;
    let source = format!("source = Source::env(\"DATABASE_URL\").{method}");
    Some(format!(
        "`{name}` is a setting of `Source`: write `{source}`"
    ))
}

fn unknown(name: &str, keys: &[&str]) -> String {
    let lower_case = name.to_lowercase();
    let similar = keys.iter().find(|key| distance(&lower_case, key) <= 2);
    let similar = similar.map_or(String::new(), |key| format!(", did you mean `{key}`?"));
    let expected = keys.join("`, `");
    format!("unknown argument `{name}`{similar} (expected one of `{expected}`)")
}

/// Returns the number of letters to insert, remove or replace.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let next = (diagonal + usize::from(x != y))
                .min(row[j] + 1)
                .min(row[j + 1] + 1);
            diagonal = row[j + 1];
            row[j + 1] = next;
        }
    }
    row[b.len()]
}
