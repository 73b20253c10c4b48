//! The settings of a URL: those of mysql_async, and those of TLS by the names of MySQL.

use mysql_async::{Opts, OptsBuilder, SslOpts};
use tokio::net::lookup_host;

use crate::connect::Attempt;
use crate::drivers::database_url::{expect_scheme, malformed};
use crate::drivers::{certificate, named_file};
use crate::error::Error;
use crate::source::Source;

/// Parses the source's URL, and adds the attempt's credentials and addresses.
pub(super) async fn of(source: &Source, attempt: &Attempt) -> Result<OptsBuilder, Error> {
    let url = source.url()?;
    expect_scheme(&url, &["mysql", "mariadb"], source)?;
    let url = url.replacen("mariadb:", "mysql:", 1);
    let (url, tls) = without_tls(&url, source)?;
    if let Some(file) = &tls.authorities {
        named_file::expect("ssl-ca", file)?;
    }
    let parsed = Opts::from_url(&url).map_err(|error| malformed(error, source))?;
    let mut tls = tls.options(parsed.ssl_opts().cloned());
    if let Some(roots) = certificate::roots_of_rds(parsed.ip_or_hostname()) {
        tls = tls.map(|tls| with_roots(tls, roots));
    }
    if let Some(tls) = &tls
        && (tls.accept_invalid_certs() || tls.skip_domain_validation())
    {
        return Err(source.problem(
            "would accept any certificate: remove `verify_ca` and `verify_identity`, and name the \
             server's certificate authority in `ssl-ca`",
        ));
    }
    let is_encrypted = tls.is_some();
    if is_encrypted && cfg!(not(feature = "diesel-async-mysql-tls")) {
        return Err(Error::rejected(
            "TLS needs the feature `diesel-async-mysql-tls` of reuse-db",
        ));
    }
    let (host, port) = (parsed.ip_or_hostname().to_owned(), parsed.tcp_port());
    let socket = parsed.socket().map(ToOwned::to_owned);
    let mut builder = OptsBuilder::from_opts(parsed)
        // Otherwise a server at another host could be exchanged for one at this.
        .prefer_socket(socket.is_some())
        // As diesel sets them itself.
        .stmt_cache_size(0)
        .client_found_rows(true)
        .ssl_opts(tls);
    if socket.is_none() {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let found = lookup_host((host, port))
            .await
            .map_err(Error::unavailable)?;
        let mut addresses: Vec<_> = found.map(|address| address.ip()).collect();
        if !addresses.is_empty() {
            // After a time-out, another address comes first.
            let first = attempt.address_index % addresses.len();
            addresses.rotate_left(first);
        }
        builder = builder.resolved_ips(Some(addresses));
    }
    if let Some(credentials) = &attempt.credentials {
        builder = builder
            .user(Some(credentials.user()))
            .pass(Some(credentials.password()))
            // RDS requires an IAM token in clear text.
            .enable_cleartext_plugin(is_encrypted);
    }
    Ok(builder)
}

/// Adds roots to those that are built in, unless the URL names a file.
fn with_roots(tls: SslOpts, roots: &str) -> SslOpts {
    if tls.root_certs().is_empty() {
        tls.with_root_certs(vec![roots.as_bytes().to_vec().into()])
    } else {
        tls
    }
}

/// Takes the parameters for TLS out of a URL that mysql_async does not know. A certificate is
/// always verified, with its name.
fn without_tls(url: &str, source: &Source) -> Result<(String, Tls), Error> {
    let mut tls = Tls::default();
    let Some((base, query)) = url.split_once('?') else {
        return Ok((url.to_owned(), tls));
    };
    let mut rest = Vec::new();
    for part in query.split('&') {
        let decoded = url::form_urlencoded::parse(part.as_bytes()).next();
        let (name, value) = decoded.unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "ssl-mode" | "sslmode" | "ssl_mode" => match value.to_ascii_uppercase().as_str() {
                "DISABLED" => tls.is_on = Some(false),
                "REQUIRED" | "VERIFY_CA" | "VERIFY_IDENTITY" => tls.is_on = Some(true),
                _ => {
                    return Err(source.problem(
                        "has a parameter `ssl-mode` that is none of DISABLED, REQUIRED, \
                         VERIFY_CA and VERIFY_IDENTITY",
                    ));
                }
            },
            "ssl-ca" | "sslca" | "ssl_ca" => tls.authorities = Some(value.into_owned()),
            _ => rest.push(part),
        }
    }
    let url = match rest[..] {
        [] => base.to_owned(),
        _ => format!("{base}?{}", rest.join("&")),
    };
    Ok((url, tls))
}

/// The parameters for TLS by the names of MySQL.
#[derive(Debug, Default)]
struct Tls {
    is_on: Option<bool>,
    /// The file of the only certificate authorities that are trusted.
    authorities: Option<String>,
}

impl Tls {
    /// Returns the options of TLS, with those that mysql_async has read. A file of authorities asks
    /// for TLS, too.
    fn options(self, read: Option<SslOpts>) -> Option<SslOpts> {
        let default = self.authorities.is_some() || read.is_some();
        if !self.is_on.unwrap_or(default) {
            return None;
        }
        let options = read.unwrap_or_default();
        Some(match self.authorities {
            Some(file) => options
                .with_root_certs(vec![std::path::PathBuf::from(file).into()])
                .with_disable_built_in_roots(true),
            None => options,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Counters;

    async fn settings(url: &str) -> Result<Opts, String> {
        let url: &'static str = url.to_owned().leak();
        let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE").or(url);
        let attempt = Attempt::first(Counters::of_process());
        let builder = of(&source, &attempt).await;
        builder.map(Opts::from).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_url_that_is_wrong_is_explained_without_its_password() {
        for (url, wanted) in [
            ("mysql://app:s3cret@127.0.0.1/app?nothing=1", "`nothing'"),
            (
                "mysql://app:s3cret@127.0.0.1/app?ssl-mode=PREFERRED",
                "is none of DISABLED",
            ),
            (
                "mysql://app:s3cret@127.0.0.1/app?require_ssl=true&verify_ca=false",
                "would accept any certificate",
            ),
            (
                "postgres://app:s3cret@127.0.0.1/app",
                "is a `postgres:` URL",
            ),
            ("mysql://app:s3cret@a,b/app", "names several hosts"),
        ] {
            let text = settings(url).await.expect_err(url);
            assert!(text.contains(wanted) && !text.contains("s3cret"), "{text}");
        }
    }

    #[cfg(feature = "diesel-async-mysql-tls")]
    #[tokio::test]
    async fn a_url_selects_tls_by_the_names_of_mysql() {
        for (query, is_on, roots) in [
            ("", false, 0),
            ("?ssl-mode=DISABLED", false, 0),
            ("?ssl-mode=REQUIRED", true, 0),
            ("?ssl-mode=verify_identity&ssl-ca=%2Fvar%2Fa.pem", true, 1),
            ("?require_ssl=true", true, 0),
            ("?require_ssl=true&ssl-ca=a.pem", true, 1),
            ("?ssl-ca=a.pem", true, 1),
        ] {
            let opts = settings(&format!("mariadb://app@127.0.0.1/app{query}")).await;
            let opts = opts.expect("settings");
            let tls = opts.ssl_opts();
            assert_eq!(tls.is_some(), is_on, "{query}");
            assert_eq!(
                tls.map_or(0, |tls| tls.root_certs().len()),
                roots,
                "{query}"
            );
            assert!(!opts.prefer_socket());
        }
    }
}
