//! The environment variables that Lambda sets, read in one place.

use std::env::{var, var_os};
#[cfg(any(feature = "_postgres", test))]
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use lambda_http::Error;

const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// Returns `true` on Lambda and under its emulators.
pub(crate) fn is_lambda() -> bool {
    var_os(RUNTIME_API).is_some()
}

/// Returns the address of Lambda's API: a host, mostly with a port, and a path under emulators.
#[cfg(unix)]
pub(crate) fn runtime_api() -> Result<lambda_http::http::Uri, Error> {
    Ok(var(RUNTIME_API)?.parse()?)
}

/// Returns an error if a variable is missing without which lambda_runtime panics.
pub(crate) fn expect_lambda() -> Result<(), Error> {
    let names = [
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
    ];
    match names.into_iter().find(|name| var_os(name).is_none()) {
        Some(name) => Err(format!(
            "`{RUNTIME_API}` is set, but `{name}` is not: set both, as Lambda does, or neither"
        )
        .into()),
        None => Ok(()),
    }
}

/// Returns the number of invocations that this sandbox serves at once.
pub(crate) fn concurrency() -> usize {
    var("AWS_LAMBDA_MAX_CONCURRENCY")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1)
        .max(1)
}

/// Returns `true` if Lambda takes a snapshot of this sandbox after its initialization.
pub(crate) fn is_snap_start() -> bool {
    var("AWS_LAMBDA_INITIALIZATION_TYPE").is_ok_and(|kind| kind == "snap-start")
}

/// Returns the function's name, empty outside Lambda.
pub(crate) fn function() -> String {
    var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default()
}

/// Returns the name of this sandbox's sessions, such as `shop/1a2b3c4d`: the function, and the
/// end of the log stream's name. Returns `None` outside Lambda.
#[cfg(feature = "_postgres")]
pub(crate) fn session_name() -> Option<String> {
    let function = Some(function()).filter(|function| !function.is_empty())?;
    let stream = var("AWS_LAMBDA_LOG_STREAM_NAME").unwrap_or_default();
    Some(session_name_of(&function, &stream))
}

/// Builds a session's name. PostgreSQL takes 63 bytes, and a function's name has up to 64.
#[cfg(any(feature = "_postgres", test))]
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

/// Shortens a name to `max` bytes by a hash of its end. The names of one stack's functions may
/// differ at their ends only.
#[cfg(any(feature = "_postgres", test))]
fn shortened(name: &str, max: usize) -> String {
    if name.len() <= max {
        return name.to_owned();
    }
    let (beginning, end) = name.split_at(name.floor_char_boundary(max - 8));
    let mut hasher = DefaultHasher::new();
    end.hash(&mut hasher);
    let hash = hasher.finish() & 0xffff_ffff;
    format!("{beginning}{hash:08x}")
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
            "cut between two letters"
        );
        let stack = "a-stack-with-a-long-name-of-its-own-and-functions-of-many";
        let named = |end: &str| session_name_of(&format!("{stack}-{end}"), stream);
        assert_ne!(named("1"), named("2"));
    }
}
