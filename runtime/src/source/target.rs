//! The database that a URL names.

use std::collections::VecDeque;
use std::sync::Arc;

use url::{Position, Url};

use super::Source;
use super::address::{Address, standard_port};
use crate::sync::Mutex;

/// A database, as its URL names it. A warm invocation asks for it, and must parse no URL.
pub(crate) struct Target {
    /// Host, port and name, or the file. May be shown in an error.
    shown: String,
    address: Option<Address>,
}

impl Target {
    fn of(url: &str) -> Self {
        Self {
            shown: shown(url),
            address: Address::of(url),
        }
    }

    /// Returns what an error may show of the database: host, port and name, or the file.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// Returns `None` for a socket's path, a file, and a text that is no URL.
    pub(crate) fn address(&self) -> Option<&Address> {
        self.address.as_ref()
    }
}

/// The targets of the URLs that sources had last. A process has few.
static TARGETS: Mutex<VecDeque<(Source, String, Arc<Target>)>> = Mutex::new(VecDeque::new());

/// The largest number of targets that are remembered.
const MOST: usize = 16;

impl Source {
    /// Returns the target of the URL as configured now. `None` if there is no valid URL.
    pub(crate) fn target(&self) -> Option<Arc<Target>> {
        let url = self.completed_url().ok()?;
        let mut targets = TARGETS.lock();
        let known = targets
            .iter()
            .find(|(source, of, _)| source == self && *of == url);
        if let Some((_, _, target)) = known {
            return Some(Arc::clone(target));
        }
        let target = Arc::new(Target::of(&self.with_tls(url.clone()).ok()?));
        if targets.len() == MOST {
            targets.pop_front();
        }
        targets.push_back((*self, url, Arc::clone(&target)));
        Some(target)
    }

    /// Returns what an error may show of the database, which is empty without a valid URL.
    pub(crate) fn shown_target(&self) -> String {
        self.target()
            .map(|target| target.shown().to_owned())
            .unwrap_or_default()
    }
}

/// Returns a URL without its user, password and parameters. Returns an empty string if the URL
/// cannot be shown without a part of its password.
pub(super) fn shown(url: &str) -> String {
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
    use super::*;

    #[test]
    fn a_url_is_parsed_once() {
        const SOURCE: Source = Source::env("REUSE_DB_NO_SUCH_VARIABLE");
        for nth in 0..2 * MOST {
            let source = SOURCE.or(format!("postgres://app:s3cret@host{nth}/app").leak());
            let target = source.target().expect("a target");
            assert_eq!(target.shown(), format!("host{nth}:5432/app"));
            assert!(Arc::ptr_eq(&target, &source.target().expect("a target")));
        }
        assert_eq!(SOURCE.shown_target(), "");
    }

    #[test]
    fn a_target_shows_no_secret() {
        for (url, expected) in [
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
            assert_eq!(shown(url), expected);
        }
        // The beginning of a password that is not percent-encoded looks like a port.
        for rest in ["/s3cret", "?s3cret", "#s3cret", "/app?host=s3cret"] {
            let url = format!("postgres://app:42{rest}@db.internal/app");
            assert_eq!(shown(&url), "");
        }
    }
}
