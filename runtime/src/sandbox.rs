//! What Lambda tells a sandbox in its environment, read in one place.

use std::env::var;

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

/// The function's name; empty off Lambda.
pub(crate) fn function() -> String {
    var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default()
}
