//! The URL that one try connects to.

use std::net::IpAddr;

use tokio::net::lookup_host;
use url::{Host, Url};

use crate::credentials::Credentials;
use crate::{Error, Source};

/// The source's URL, with the credentials of now; and after silence at another of the host's
/// addresses.
pub(super) async fn of(source: &Source) -> Result<String, Error> {
    let written = source.url()?;
    let credentials = source.current_credentials().await?;
    if credentials.is_none() && source.silent == 0 {
        return Ok(written);
    }
    // The driver tells what is wrong with it.
    let Ok(mut url) = Url::parse(&written) else {
        return Ok(written);
    };
    if let Some(credentials) = credentials {
        sign_in(&mut url, &credentials).map_err(|()| {
            source.problem("names no server to sign in at, and so takes no credentials")
        })?;
    }
    if source.silent > 0
        && let Some(address) = address(&url, source.silent).await
    {
        // A URL that has a host takes another.
        let _ = url.set_ip_host(address);
    }
    Ok(url.into())
}

fn sign_in(url: &mut Url, credentials: &Credentials) -> Result<(), ()> {
    // What looks like a host there is a file.
    if url.scheme() == "sqlite" {
        return Err(());
    }
    url.set_username(&encoded(credentials.user()))?;
    url.set_password(Some(&encoded(credentials.password())))?;
    let is_of_url = |key: &str| matches!(key, "user" | "password");
    if url.query_pairs().any(|(key, _)| is_of_url(&key)) {
        let rest: Vec<(String, String)> = url
            .query_pairs()
            .into_owned()
            .filter(|(key, _)| !is_of_url(key))
            .collect();
        url.query_pairs_mut().clear().extend_pairs(rest);
    }
    Ok(())
}

/// Percent-encoded as far as it goes: `url` would take a `%` for the beginning of a code.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// The `nth` address of the host after the first, and over again; `None` where there is only one, or
/// the server's certificate has to be of the host's name.
async fn address(url: &Url, nth: usize) -> Option<IpAddr> {
    let Host::Domain(host) = url.host()? else {
        return None;
    };
    let is_of_its_own = |key: &str| matches!(key, "host" | "hostaddr" | "socket");
    if is_verified(url) || url.query_pairs().any(|(key, _)| is_of_its_own(&key)) {
        return None;
    }
    let all: Vec<_> = lookup_host((host, 0)).await.ok()?.collect();
    let address = all.get(nth % all.len().max(1))?;
    (all.len() > 1).then(|| address.ip())
}

fn is_verified(url: &Url) -> bool {
    let is_full = |mode: &str| {
        mode.eq_ignore_ascii_case("verify-full") || mode.eq_ignore_ascii_case("VERIFY_IDENTITY")
    };
    let mode = url
        .query_pairs()
        .find(|(key, _)| key == "sslmode" || key == "ssl-mode");
    match mode {
        Some((_, mode)) => is_full(&mode),
        None => std::env::var("PGSSLMODE").is_ok_and(|mode| is_full(&mode)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BoxError;

    async fn odd() -> Result<Credentials, BoxError> {
        Ok(Credentials::new("a@b", "100%41/?#:ü"))
    }

    #[tokio::test]
    async fn credentials_take_the_place_of_the_urls() {
        let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE").credentials(&odd);
        let signed_in = "//a%40b:100%2541%2F%3F%23%3A%C3%BC@host:5432/app";
        for (url, expected) in [
            ("postgres://host:5432/app", format!("postgres:{signed_in}")),
            (
                "mysql://x:y@host:5432/app?ssl-mode=disabled",
                format!("mysql:{signed_in}?ssl-mode=disabled"),
            ),
            (
                "postgres://x:y@host:5432/app?user=z&sslmode=disable&password=q",
                format!("postgres:{signed_in}?sslmode=disable"),
            ),
        ] {
            assert_eq!(of(&source.or(url)).await.ok(), Some(expected));
        }
        for url in ["sqlite::memory:", "sqlite://app.db?mode=rwc"] {
            let error = of(&source.or(url)).await.expect_err("no server");
            assert!(
                error.to_string().contains("takes no credentials"),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn a_url_is_as_it_was_written_unless_something_is_asked_of_it() {
        let mut source =
            Source::env("REUSE_DB_NO_SUCH_VARIABLE").or("postgres://u:p%25@127.0.0.1/app");
        for silent in 0..3 {
            source.silent = silent;
            assert_eq!(
                of(&source).await.ok().as_deref(),
                Some("postgres://u:p%25@127.0.0.1/app")
            );
        }
    }

    #[test]
    fn a_name_that_is_verified_is_kept() {
        for (url, verified) in [
            ("postgres://h/a?sslmode=verify-full", true),
            ("mysql://h/a?ssl-mode=VERIFY_IDENTITY", true),
            ("postgres://h/a?sslmode=verify-ca", false),
            ("postgres://h/a", false),
        ] {
            assert_eq!(is_verified(&Url::parse(url).expect(url)), verified, "{url}");
        }
    }
}
