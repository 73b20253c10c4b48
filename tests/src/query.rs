//! The parameters of a request to a function under test, which select what a handler does.

use lambda_http::{Request, RequestExt as _};

/// Returns the first value of a parameter, or an empty text without one.
pub fn word(request: &Request, name: &str) -> String {
    request
        .query_string_parameters()
        .first(name)
        .unwrap_or_default()
        .to_owned()
}

/// Returns the first value of a parameter as a number, or 0 without one.
pub fn number(request: &Request, name: &str) -> i64 {
    word(request, name).parse().unwrap_or(0)
}
