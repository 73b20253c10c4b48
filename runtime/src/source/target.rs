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
struct Targets(VecDeque<(Source, String, Arc<Target>)>);

static TARGETS: Mutex<Targets> = Mutex::new(Targets(VecDeque::new()));

impl Targets {
    const MOST: usize = 16;

    /// Returns the target of a source that is configured with `url`, or the one that `find` finds.
    fn of(
        &mut self,
        source: &Source,
        url: String,
        find: impl FnOnce() -> Option<Target>,
    ) -> Option<Arc<Target>> {
        let mut all = self.0.iter();
        let known = all.find(|(known, of, _)| known == source && *of == url);
        if let Some((_, _, target)) = known {
            return Some(Arc::clone(target));
        }
        let target = Arc::new(find()?);
        if self.0.len() == Self::MOST {
            self.0.pop_front();
        }
        self.0.push_back((*source, url, Arc::clone(&target)));
        Some(target)
    }
}

impl Source {
    /// Returns the target of the URL as configured now. `None` if there is no valid URL.
    pub(crate) fn target(&self) -> Option<Arc<Target>> {
        let url = self.configured_url().ok()?;
        // Locked while it is found, so that `forget_target` does not miss it.
        let mut targets = TARGETS.lock();
        targets.of(self, url, || self.url().ok().map(|url| Target::of(&url)))
    }

    /// Forgets the target, after something else than the URL has changed.
    #[cfg(feature = "aws")]
    pub(super) fn forget_target(&self) {
        TARGETS.lock().0.retain(|(source, ..)| source != self);
    }

    /// Returns what an error may show of the database, which is empty without a valid URL.
    pub(crate) fn shown_target(&self) -> String {
        self.target()
            .map(|target| target.shown().to_owned())
            .unwrap_or_default()
    }
}

/// The target of a URL that cannot be shown without a part of its password.
const HIDDEN: &str = "(host hidden: an `@` follows it in the URL; percent-encode the password)";

/// Returns a URL without its user, password and parameters. Returns an empty string for a text that
/// names no host and no file.
pub(super) fn shown(url: &str) -> String {
    let Ok(url) = Url::parse(url) else {
        return String::new();
    };
    // An `@` after the host belongs to a password that is not percent-encoded and was cut in two.
    if url[Position::AfterHost..].contains('@') {
        return url.host_str().map_or("", |_| HIDDEN).to_owned();
    }
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
    fn a_target_is_found_once_for_each_source_and_url() {
        const SOURCE: Source = Source::env("REUSE_DB_NO_SUCH_VARIABLE");
        let mut targets = Targets(VecDeque::new());
        let mut found = 0;
        for source in [SOURCE, SOURCE.read_write()] {
            for (url, expected) in [("postgres://a/x", "a:5432/x"), ("mysql://b/x", "b:3306/x")] {
                for _ in 0..3 {
                    let target = targets.of(&source, url.to_owned(), || {
                        found += 1;
                        Some(Target::of(url))
                    });
                    assert_eq!(target.expect("a target").shown(), expected);
                }
            }
        }
        assert_eq!(found, 4);
        for nth in 0..2 * Targets::MOST {
            let url = format!("postgres://host{nth}/app");
            targets.of(&SOURCE, url.clone(), || Some(Target::of(&url)));
        }
        assert_eq!(targets.0.len(), Targets::MOST);
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
            assert_eq!(shown(&url), HIDDEN);
        }
    }
}
