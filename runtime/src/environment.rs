//! What Lambda tells a sandbox in its environment, read in one place.

use std::env::var;
#[cfg(any(feature = "mysql", feature = "postgres", test))]
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use lambda_http::Error;

const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// Whether this is Lambda, or something that plays it.
pub(crate) fn is_lambda() -> bool {
    std::env::var_os(RUNTIME_API).is_some()
}

/// lambda_runtime panics where one of these is missing.
pub(crate) fn expect_lambda() -> Result<(), Error> {
    let names = [
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
    ];
    match names
        .into_iter()
        .find(|name| std::env::var_os(name).is_none())
    {
        Some(name) => Err(format!(
            "`{RUNTIME_API}` is set, but `{name}` is not: set both, as Lambda does, or none"
        )
        .into()),
        None => Ok(()),
    }
}

/// How many invocations this sandbox serves at once.
pub(crate) fn concurrency() -> usize {
    var("AWS_LAMBDA_MAX_CONCURRENCY")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1)
        .max(1)
}

/// Whether a snapshot is taken of this sandbox after its initialization.
pub(crate) fn is_snap_start() -> bool {
    var("AWS_LAMBDA_INITIALIZATION_TYPE").is_ok_and(|kind| kind == "snap-start")
}

/// Which function, and which sandbox of it, holds a session: `shop/1a2b3c4d`, the second half being the
/// end of the name of its log stream. `None` off Lambda.
#[cfg(feature = "postgres")]
pub(crate) fn session_name() -> Option<String> {
    let function = Some(function()).filter(|function| !function.is_empty())?;
    let stream = var("AWS_LAMBDA_LOG_STREAM_NAME").unwrap_or_default();
    Some(session_name_of(&function, &stream))
}

/// The beginning of the names of the locks by which this function's sessions are known. `None` off
/// Lambda.
#[cfg(feature = "mysql")]
pub(crate) fn lock_name() -> Option<String> {
    lock_name_of(&function())
}

/// A server takes 64 bytes: there is to be room for a session's number.
#[cfg(any(feature = "mysql", test))]
fn lock_name_of(function: &str) -> Option<String> {
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let name: String = function.chars().filter(is_plain).collect();
    (!name.is_empty()).then(|| format!("reuse-db/{}", shortened(&name, 32)))
}

/// The name in no more than `most` bytes, with a hash in place of its end: the names of one stack's
/// functions may differ at their ends only.
#[cfg(any(feature = "mysql", feature = "postgres", test))]
fn shortened(name: &str, most: usize) -> String {
    if name.len() <= most {
        return name.to_owned();
    }
    let (beginning, end) = name.split_at(name.floor_char_boundary(most - 8));
    let mut hasher = DefaultHasher::new();
    end.hash(&mut hasher);
    let hash = hasher.finish() & 0xffff_ffff;
    format!("{beginning}{hash:08x}")
}

/// PostgreSQL takes 63 bytes, and a function's name has up to 64.
#[cfg(any(feature = "postgres", test))]
fn session_name_of(function: &str, stream: &str) -> String {
    let function = shortened(function, 54);
    let mut end: Vec<char> = stream
        .chars()
        .rev()
        .take_while(char::is_ascii_alphanumeric)
        .take(8)
        .collect();
    end.reverse();
    format!("{function}/{}", String::from_iter(end))
}

/// The function's name; empty off Lambda.
pub(crate) fn function() -> String {
    var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_named_after_function_and_sandbox() {
        let stream = "2026/01/31/[$LATEST]0123456789abcdef0123456789abcdef";
        assert_eq!(session_name_of("shop", stream), "shop/89abcdef");
        assert_eq!(session_name_of("shop", "2026/01/31/[7]12ab"), "shop/12ab");
        assert_eq!(session_name_of("shop", ""), "shop/");
        assert_eq!(session_name_of(&"x".repeat(64), stream).len(), 63);
        assert_eq!(
            session_name_of(&"ü".repeat(64), stream).len(),
            63,
            "never in the middle of a letter"
        );
        let stack = "a-stack-with-a-long-name-of-its-own-and-functions-of-many";
        let named = |end: &str| session_name_of(&format!("{stack}-{end}"), stream);
        assert_ne!(named("1"), named("2"));
    }

    #[test]
    fn a_lock_is_named_after_the_whole_name_of_the_function() {
        let named = |function: &str| lock_name_of(function).unwrap_or_default();
        assert_eq!(named("shop'; drop"), "reuse-db/shopdrop");
        assert_eq!(
            named(&"x".repeat(32)),
            format!("reuse-db/{}", "x".repeat(32))
        );
        let stack = "a-stack-with-a-long-name-of-its-own";
        let (one, two) = (named(&format!("{stack}-1")), named(&format!("{stack}-2")));
        assert!(
            one != two && one.len() == 41 && one.starts_with("reuse-db/a-stack-with-a-long-name")
        );
        assert_eq!(lock_name_of(""), None);
    }
}
