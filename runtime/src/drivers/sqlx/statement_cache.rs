//! A cache of no statements, which sqlx 0.9.0 leaks at a PostgreSQL server ([4328]).
//!
//! [4328]: https://github.com/transact-rs/sqlx/issues/4328

use std::borrow::Cow;
use std::sync::Once;

use crate::telemetry::events;

const CAPACITY: &str = "statement-cache-capacity";

/// Replaces a capacity of 0 in a URL of PostgreSQL by 1, and logs that once.
///
/// Each statement would get a name and stay at the server until the session ends. With a capacity
/// of 1 the next statement closes it.
pub(super) fn bounded(url: &str) -> Cow<'_, str> {
    let Some((base, query)) = url.split_once('?') else {
        return url.into();
    };
    let is_off = |part: &str| {
        let value = part
            .strip_prefix(CAPACITY)
            .and_then(|rest| rest.strip_prefix('='));
        value.is_some_and(|value| value.parse() == Ok(0_usize))
    };
    if !query.split('&').any(is_off) {
        return url.into();
    }
    static LOGGED: Once = Once::new();
    LOGGED.call_once(events::statement_cache);
    let parts = query.split('&').map(|part| {
        if is_off(part) {
            format!("{CAPACITY}=1")
        } else {
            part.to_owned()
        }
    });
    let query: Vec<_> = parts.collect();
    format!("{base}?{}", query.join("&")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capacity_of_zero_is_replaced() {
        for (url, expected) in [
            (
                "postgres://h/d?statement-cache-capacity=0",
                "postgres://h/d?statement-cache-capacity=1",
            ),
            (
                "postgres://h/d?a=0&statement-cache-capacity=00&b=%20",
                "postgres://h/d?a=0&statement-cache-capacity=1&b=%20",
            ),
        ] {
            assert_eq!(bounded(url), expected);
        }
        for url in [
            "postgres://h/d",
            "postgres://h/d?statement-cache-capacity=10",
            "postgres://h/d?x-statement-cache-capacity=0",
        ] {
            assert_eq!(bounded(url), url);
        }
    }
}
