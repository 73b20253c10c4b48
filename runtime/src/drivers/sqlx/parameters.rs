//! The parameters of a PostgreSQL URL that sqlx knows.
//!
//! sqlx logs the value of any other one in each connect, and a value may be a password.

use std::borrow::Cow;

use crate::sync::Mutex;
use crate::telemetry::events;

const KNOWN: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// Leaves out the parameters that sqlx does not know, and logs the name of each once.
pub(super) fn known(url: &str) -> Cow<'_, str> {
    let Some((base, query)) = url.split_once('?') else {
        return url.into();
    };
    let is_known = |part: &&str| {
        let decoded = url::form_urlencoded::parse(part.as_bytes()).next();
        let name = decoded.map_or_else(String::new, |(name, _)| name.into_owned());
        let is_known = KNOWN.contains(&&*name) || name.starts_with("options[");
        if !is_known && !name.is_empty() {
            log_once(name);
        }
        is_known
    };
    let parts = query.split('&');
    let kept: Vec<_> = parts.clone().filter(is_known).collect();
    if kept.len() == parts.count() {
        return url.into();
    }
    format!("{base}?{}", kept.join("&")).into()
}

fn log_once(name: String) {
    const MOST: usize = 16;
    static LOGGED: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let mut logged = LOGGED.lock();
    if logged.len() < MOST && !logged.contains(&name) {
        events::ignored_parameter(&name);
        logged.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_sqlx_does_not_know_is_left_out() {
        for (url, expected) in [
            ("postgres://h/d", "postgres://h/d"),
            (
                "postgres://h/d?sslmode=require&channel_binding=require&application_name=a%20b",
                "postgres://h/d?sslmode=require&application_name=a%20b",
            ),
            ("postgres://h/d?token=s3cret", "postgres://h/d?"),
            (
                "postgres://h/d?pass%77ord=a&options[a]=b&options=-c%20a=b",
                "postgres://h/d?pass%77ord=a&options[a]=b&options=-c%20a=b",
            ),
        ] {
            assert_eq!(known(url), expected);
        }
    }
}
