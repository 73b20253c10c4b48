//! What a request asks a function under test for, in its query.

use lambda_http::{Request, RequestExt as _};

/// The first value of a parameter; nothing if it is not there.
pub fn word(request: &Request, name: &str) -> String {
    request
        .query_string_parameters()
        .first(name)
        .unwrap_or_default()
        .to_owned()
}

/// The first value of a parameter as a number; 0 if it is none.
pub fn number(request: &Request, name: &str) -> i64 {
    word(request, name).parse().unwrap_or(0)
}
