//! The host, the port and the user in a URL.

use percent_encoding::percent_decode_str;
use url::Url;

/// The host, the port and the user that a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: Option<String>,
    /// The address that PostgreSQL's clients connect to in place of the host's.
    address: Option<String>,
}

impl Address {
    /// Returns `None` for a socket's path, and for a text that is no URL with a host.
    pub(crate) fn of(url: &str) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        let is_postgres = url.scheme().starts_with("postgres");
        // The last one wins, as in the clients.
        let parameter = |name: &str| {
            let named = url
                .query_pairs()
                .filter(|(key, _)| is_postgres && key == name);
            named.last().map(|(_, value)| value.into_owned())
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let host = parameter("host").or_else(|| url.host_str().map(decoded))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.starts_with('/') {
            return None;
        }
        let port = parameter("port").map_or(url.port(), |port| port.parse().ok());
        let user = parameter("user").or_else(|| Some(decoded(url.username())));
        Some(Self {
            host: host.to_owned(),
            port: port.or_else(|| standard_port(url.scheme()))?,
            user: user.filter(|user| !user.is_empty()),
            address: parameter("hostaddr"),
        })
    }

    /// Returns `true` for a host of this machine.
    pub(crate) fn is_local(&self) -> bool {
        let is_loopback = |host: &str| {
            let address = host.parse::<std::net::IpAddr>();
            address.is_ok_and(|address| address.to_canonical().is_loopback())
        };
        let is_here = self.host.eq_ignore_ascii_case("localhost") || is_loopback(&self.host);
        is_here && self.address.as_deref().is_none_or(is_loopback)
    }
}

/// Returns the port that a server of a URL's scheme listens on.
pub(super) fn standard_port(scheme: &str) -> Option<u16> {
    match scheme {
        "postgres" | "postgresql" => Some(5432),
        "mysql" | "mariadb" => Some(3306),
        "redis" | "rediss" | "valkey" | "valkeys" => Some(6379),
        _ => None,
    }
}

/// Returns `true` if a client takes the path of a socket from a URL.
pub(super) fn is_path(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    // The last one wins, as in the clients.
    let last = |name: &str| {
        let named = url.query_pairs().filter(|(key, _)| key == name);
        named.last().map(|(_, value)| value.into_owned())
    };
    if !url.scheme().starts_with("postgres") {
        return last("socket").is_some_and(|path| !path.is_empty());
    }
    let of_authority = || url.host_str().unwrap_or_default().to_ascii_lowercase();
    let host = last("host").unwrap_or_else(of_authority);
    host.starts_with('/') || host.starts_with("%2f")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_the_clients_do() {
        for (url, expected) in [
            (
                "postgres://app:s@db.example/app",
                Some(("db.example", 5432, Some("app"))),
            ),
            (
                "postgres://a%20b%40c@db:5433",
                Some(("db", 5433, Some("a b@c"))),
            ),
            (
                "postgres://x@y/app?host=db&port=1&user=app",
                Some(("db", 1, Some("app"))),
            ),
            ("mysql://db", Some(("db", 3306, None))),
            ("mysql://db?user=app", Some(("db", 3306, None))),
            ("rediss://[::1]:7000", Some(("::1", 7000, None))),
            ("postgres:///app?host=/run", None),
            ("postgres://%2Frun/app", None),
            ("sqlite::memory:", None),
            ("db.example", None),
        ] {
            let address = Address::of(url);
            let found = address
                .as_ref()
                .map(|it| (&*it.host, it.port, it.user.as_deref()));
            assert_eq!(found, expected, "{url}");
        }
    }

    #[test]
    fn a_host_of_this_machine_is_known() {
        for (host, expected) in [
            ("localhost", true),
            ("127.8.0.1", true),
            ("[::1]", true),
            ("10.0.0.1", false),
            ("localhost.example", false),
            ("localhost/app?hostaddr=192.0.2.2", false),
            ("localhost/app?hostaddr=127.0.0.2", true),
        ] {
            let address = Address::of(&format!("postgres://{host}")).expect(host);
            assert_eq!(address.is_local(), expected, "{host}");
        }
    }
}
