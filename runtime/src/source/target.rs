//! A database's host, port and name, or its file: the part of a URL that an error may show.

use url::{Position, Url};

use super::address::standard_port;

/// Returns a URL without its user, password and parameters. Returns an empty string if the URL
/// cannot be shown without a part of its password.
pub(super) fn target(url: &str) -> String {
    let url = Url::parse(url).ok();
    // An `@` after the host belongs to a password that is not percent-encoded and was cut in two.
    let Some(url) = url.filter(|url| !url[Position::AfterHost..].contains('@')) else {
        return String::new();
    };
    let socket = url
        .query_pairs()
        .find(|(key, _)| key == "host" || key == "socket")
        .map(|(_, value)| value.into_owned());
    let host = match (url.host_str().filter(|host| !host.is_empty()), socket) {
        (_, Some(socket)) => socket,
        (Some(host), None) => host.to_owned(),
        (None, None)
            if matches!(
                url.scheme(),
                "sqlite" | "unix" | "redis+unix" | "valkey+unix"
            ) =>
        {
            return url.path().to_owned();
        }
        (None, None) => return String::new(),
    };
    match url.port().or_else(|| standard_port(url.scheme())) {
        Some(port) => format!("{host}:{port}{}", url.path()),
        None => format!("{host}{}", url.path()),
    }
}

#[cfg(test)]
mod tests {
    use super::target;

    #[test]
    fn a_target_shows_no_secret() {
        for (url, shown) in [
            (
                "postgres://user:s3cret@db.internal/app?sslmode=require",
                "db.internal:5432/app",
            ),
            (
                "mysql://user:s3cret@db.internal:3307/app",
                "db.internal:3307/app",
            ),
            (
                "postgres://user:s3cret@localhost/app?host=/var/run/pg",
                "/var/run/pg:5432/app",
            ),
            ("sqlite::memory:", ":memory:"),
            (
                "rediss://user:s3cret@cache.internal/1",
                "cache.internal:6379/1",
            ),
            (
                "redis+unix:///run/redis.sock?pass=s3cret",
                "/run/redis.sock",
            ),
            ("user:s3cret@nowhere", ""),
        ] {
            assert_eq!(target(url), shown);
        }
        // The beginning of a password that is not percent-encoded looks like a port.
        for rest in ["/s3cret", "?s3cret", "#s3cret", "/app?host=s3cret"] {
            let url = format!("postgres://app:42{rest}@db.internal/app");
            assert_eq!(target(&url), "");
        }
    }
}
