//! TLS that a source requires, whatever its URL says.

use super::Source;
use super::address::{self, Address};

/// The TLS that a source requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tls {
    /// As the URL says.
    AsUrl,
    /// Encrypted. Verified, unless the URL asks for less.
    #[cfg(feature = "aws")]
    Encrypted,
    Verified,
}

/// The modes of a client, from the weakest. Those up to `OF_NO_USE` may send everything in clear
/// text.
struct Modes {
    names: &'static [&'static str],
    without_tls: &'static str,
    of_no_use: &'static [&'static str],
    unverified: &'static [&'static str],
    verified: (&'static str, &'static str),
}

const POSTGRES: Modes = Modes {
    names: &["sslmode", "ssl-mode"],
    without_tls: "disable",
    of_no_use: &["disable", "allow", "prefer"],
    unverified: &["require", "verify-ca"],
    verified: ("sslmode", "verify-full"),
};

const MYSQL: Modes = Modes {
    names: &["ssl-mode", "sslmode", "ssl_mode", "require_ssl"],
    without_tls: "disabled",
    of_no_use: &["disabled", "preferred", "false"],
    unverified: &["required", "verify_ca", "true"],
    verified: ("ssl-mode", "VERIFY_IDENTITY"),
};

impl Source {
    /// Requires TLS with a verified certificate, which has the name of the host. Default: as the
    /// URL says.
    ///
    /// It is `sslmode=verify-full` of PostgreSQL and `ssl-mode=VERIFY_IDENTITY` of MySQL, and
    /// replaces a weaker mode of the URL. By default sqlx encrypts if the server offers it, and
    /// verifies nothing. Redis needs a `rediss:` URL.
    ///
    /// Trusted are the authorities that the client trusts, and those of the file that the URL names
    /// (`sslrootcert`, `ssl-ca`). RDS signs its certificates with roots of its own. The feature
    /// `aws` brings them, and trusts those of the host's region. RDS Proxy, Aurora DSQL and
    /// ElastiCache use public authorities.
    ///
    /// sqlx needs one of its features for TLS, such as `tls-rustls`.
    ///
    /// A Unix socket needs no TLS. Nor does a host of this machine, if the URL says so
    /// (`sslmode=disable`).
    ///
    /// # Errors
    ///
    /// A URL that asks for no TLS, or for TLS that may be left out, is an
    /// [`Error::Variable`](crate::Error::Variable). To this machine, a URL may ask for no TLS.
    #[must_use]
    pub const fn verified_tls(mut self) -> Self {
        self.tls = Tls::Verified;
        self
    }
}

impl Source {
    /// Returns `true` if the source requires TLS, whatever its URL says.
    #[cfg(any(feature = "_postgres", feature = "_mysql", feature = "redis"))]
    pub(crate) fn requires_tls(&self) -> bool {
        self.tls != Tls::AsUrl
    }
}

/// Returns a URL that requires the TLS of a source.
///
/// # Errors
///
/// The error is the URL's problem.
pub(super) fn required(url: String, tls: Tls) -> Result<String, String> {
    if tls == Tls::AsUrl || address::is_path(&url) {
        return Ok(url);
    }
    let scheme = url.split("://").next().unwrap_or_default();
    let modes = match scheme {
        "postgres" | "postgresql" => POSTGRES,
        "mysql" | "mariadb" => MYSQL,
        "redis" | "valkey" if !is_local(&url) => {
            return Err(format!(
                "is a `{scheme}:` URL, and the source requires TLS: write `{scheme}s:`"
            ));
        }
        _ => return Ok(url),
    };
    if url.contains('#') {
        // A client would take the mode that follows for a part of the fragment.
        return Err("has a `#`, after which no parameter counts: percent-encode it".into());
    }
    let (base, query) = url.split_once('?').unwrap_or((&url, ""));
    let mut rest = Vec::new();
    let mut is_off = false;
    let mut unverified = None;
    // The client takes the last of several modes. So none of the URL's stays.
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let decoded = url::form_urlencoded::parse(part.as_bytes()).next();
        let (name, value) = decoded.unwrap_or_default();
        let is = |mode: &&str| value.eq_ignore_ascii_case(mode);
        if !modes.names.contains(&name.to_ascii_lowercase().as_str()) {
            rest.push(part.to_owned());
        } else if modes.of_no_use.iter().any(is) {
            let is_disabled = is(&modes.without_tls) || is(&"false");
            if !is_disabled || !is_local(&url) {
                return Err(format!(
                    "has the parameter `{name}={value}`, and the source requires TLS: remove it"
                ));
            }
            is_off = true;
        } else if modes.unverified.iter().any(is) {
            unverified = Some(format!("{name}={value}"));
        } else if !is(&modes.verified.1) {
            return Err(format!(
                "has the parameter `{name}` with an unknown mode: write `{}`, or remove it",
                modes.verified.1
            ));
        }
    }
    let (name, mode) = modes.verified;
    rest.push(match unverified {
        _ if is_off => format!("{name}={}", modes.without_tls),
        Some(unverified) if tls != Tls::Verified => unverified,
        _ => format!("{name}={mode}"),
    });
    Ok(format!("{base}?{}", rest.join("&")))
}

fn is_local(url: &str) -> bool {
    Address::of(url).is_some_and(|address| address.is_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn required(url: &str, tls: Tls) -> Result<String, String> {
        super::required(url.to_owned(), tls)
    }

    #[test]
    fn a_weaker_mode_of_the_url_is_replaced() {
        for (url, expected) in [
            ("postgres://h/db", "postgres://h/db?sslmode=verify-full"),
            ("postgres://h/db?", "postgres://h/db?sslmode=verify-full"),
            (
                "postgres://h/db?sslmode=require&sslrootcert=a.pem",
                "postgres://h/db?sslrootcert=a.pem&sslmode=verify-full",
            ),
            (
                "postgres://h/db?sslmode=verify-full",
                "postgres://h/db?sslmode=verify-full",
            ),
            (
                "postgres://h/db?sslmode=verify-full&sslmode=require&ssl-mode=%72equire",
                "postgres://h/db?sslmode=verify-full",
            ),
            ("mysql://h/db", "mysql://h/db?ssl-mode=VERIFY_IDENTITY"),
            (
                "mysql://h/db?ssl-mode=required",
                "mysql://h/db?ssl-mode=VERIFY_IDENTITY",
            ),
            ("rediss://h", "rediss://h"),
            ("redis://127.0.0.1", "redis://127.0.0.1"),
            ("sqlite://app.db", "sqlite://app.db"),
            ("postgres:///db?host=/run/pg", "postgres:///db?host=/run/pg"),
            (
                "postgres://localhost/db?sslmode=disable",
                "postgres://localhost/db?sslmode=disable",
            ),
            (
                "postgres://localhost/db",
                "postgres://localhost/db?sslmode=verify-full",
            ),
        ] {
            assert_eq!(required(url, Tls::Verified).as_deref(), Ok(expected));
            assert_eq!(required(url, Tls::AsUrl).as_deref(), Ok(url));
        }
    }

    #[test]
    fn a_url_without_tls_is_a_problem_that_is_named() {
        for (url, expected) in [
            (
                "postgres://u:s3cret@h/db?sslmode=disable",
                "`sslmode=disable`",
            ),
            (
                "postgres://u:s3cret@h/db?sslmode=prefer",
                "`sslmode=prefer`",
            ),
            (
                "postgres://u:s3cret@localhost/db?sslmode=allow",
                "`sslmode=allow`",
            ),
            (
                "postgres://u:s3cret@h/db?sslmode=verify-full&sslmode=disable",
                "`sslmode=disable`",
            ),
            (
                "postgres://u:s3cret@h/db?sslmode=verify-full&ssl-mode=%64isable",
                "`ssl-mode=disable`",
            ),
            (
                "postgres://u:s3cret@localhost/db?hostaddr=192.0.2.2&sslmode=disable",
                "`sslmode=disable`",
            ),
            ("postgres://u:s3cret@h/db?sslmode=odd", "unknown mode"),
            ("postgres://u:s3cret@h/db?a=b#c", "percent-encode"),
            (
                "postgres://u:s3cret@h/db?socket=/run&sslmode=disable",
                "`sslmode=disable`",
            ),
            (
                "postgres://u:s3cret@h/db?host=/run&host=h&sslmode=disable",
                "`sslmode=disable`",
            ),
            (
                "mysql://u:s3cret@h/db?host=/run&ssl-mode=DISABLED",
                "`ssl-mode=DISABLED`",
            ),
            (
                "mysql://u:s3cret@h/db?ssl-mode=%50REFERRED",
                "`ssl-mode=PREFERRED`",
            ),
            (
                "mysql://u:s3cret@h/db?ssl-mode=DISABLED",
                "`ssl-mode=DISABLED`",
            ),
            ("redis://u:s3cret@h", "write `rediss:`"),
        ] {
            let problem = required(url, Tls::Verified).expect_err(url);
            assert!(
                problem.contains(expected) && !problem.contains("s3cret"),
                "{problem}"
            );
        }
    }

    #[cfg(feature = "aws")]
    #[test]
    fn a_token_needs_encryption_and_is_verified_by_default() {
        for (url, expected) in [
            ("postgres://h/db", "postgres://h/db?sslmode=verify-full"),
            (
                "postgres://h/db?sslmode=require",
                "postgres://h/db?sslmode=require",
            ),
            (
                "mysql://h/db?require_ssl=true",
                "mysql://h/db?require_ssl=true",
            ),
        ] {
            assert_eq!(required(url, Tls::Encrypted).as_deref(), Ok(expected));
        }
        assert!(required("postgres://h/db?sslmode=prefer", Tls::Encrypted).is_err());
    }
}
