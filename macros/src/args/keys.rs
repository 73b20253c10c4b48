//! The arguments that there are.

use proc_macro2::Ident;
use syn::Error;

use super::Level;

/// An argument by its key.
pub(super) struct Known {
    pub(super) key: &'static str,
    /// The one level that it is for, if it is not for both.
    only: Option<Level>,
    pub(super) example: &'static str,
}

const KNOWN: [Known; 5] = [
    Known {
        key: "env",
        only: None,
        example: "env = \"DATABASE_URL\"",
    },
    Known {
        key: "source",
        only: None,
        example: "source = Source::env(\"DATABASE_URL\")",
    },
    Known {
        key: "with",
        only: Some(Level::Function),
        example: "with = handler_with",
    },
    Known {
        key: "crate",
        only: Some(Level::Function),
        example: "crate = reuse_db",
    },
    Known {
        key: "name",
        only: Some(Level::Parameter),
        example: "name = HANDLER_DB",
    },
];

/// The methods of `Source` that somebody may take for arguments.
const OF_SOURCE: [&str; 8] = [
    "or",
    "max_connections",
    "keep",
    "verify_after",
    "check_timeout",
    "connect_timeout",
    "idle_session_timeout",
    "on_connect",
];

/// The argument of that key, at that level.
pub(super) fn known(key: &Ident, level: Level) -> syn::Result<&'static Known> {
    let text = key.to_string();
    let is_here = |known: &&Known| known.only.is_none_or(|only| only == level);
    let message = match KNOWN.iter().find(|known| known.key == text) {
        Some(known) if is_here(&known) => return Ok(known),
        Some(Known { example, .. }) => match level {
            Level::Function => {
                format!("`{text}` belongs to one parameter: write `#[db({example})]` on it")
            }
            Level::Parameter => {
                format!("`{text}` belongs to the function: write `#[reuse_db({example})]` on it")
            }
        },
        None if OF_SOURCE.contains(&text.as_str()) => format!(
            "`{text}` is a method of `Source`: write `source = Source::env(\"DATABASE_URL\").{text}(…)`"
        ),
        None => {
            let keys: Vec<_> = KNOWN
                .iter()
                .filter(is_here)
                .map(|known| known.key)
                .collect();
            let near = keys
                .iter()
                .find(|key| distance(&text.to_lowercase(), key) <= 2);
            let near = near.map_or(String::new(), |near| format!(", did you mean `{near}`?"));
            format!(
                "unknown argument `{text}`{near} (known are `{}`)",
                keys.join("`, `")
            )
        }
    };
    Err(Error::new(key.span(), message))
}

/// The number of letters to insert, remove or replace.
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
