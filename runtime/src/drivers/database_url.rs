//! The checks of a URL before a client parses it.

use url::{Position, Url};

use crate::error::{BoxError, Error};
use crate::source::Source;

/// Returns an error unless the URL's scheme is one of `schemes`. It names the variable and shows no
/// secret.
pub(super) fn expect_scheme(url: &str, schemes: &[&str], source: &Source) -> Result<(), Error> {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some(scheme)
            if schemes.contains(&scheme) && (scheme == "sqlite" || url.contains("://")) =>
        {
            if let Some(parameter) = misspelt_password(url) {
                if is_password_cut_in_two(url) {
                    return Err(source.problem(CUT_IN_TWO));
                }
                // A client may log the value of a parameter that it does not know.
                return Err(source.problem(format!(
                    "has an unknown parameter `{parameter}`: write the password as in \
                     `scheme://user:password@host/database`"
                )));
            }
            if scheme != "sqlite" && has_host_list(url) {
                return Err(source.problem(
                    "names several hosts: name one; \
                     `Source::read_write` replaces `target_session_attrs=read-write`",
                ));
            }
            Ok(())
        }
        Some(scheme)
            if !scheme.is_empty()
                && scheme
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'+')
                && url.contains("://") =>
        {
            Err(source.problem(format!(
                "is a `{scheme}:` URL, but the handler's parameter needs {}",
                list(schemes)
            )))
        }
        _ => Err(source.problem(format!(
            "is not a database URL: it must begin with {}, without white space or quotes before it",
            list(schemes)
        ))),
    }
}

/// The problem of a URL whose password is not percent-encoded.
const CUT_IN_TWO: &str = "is not a usable database URL: it has an `@` after its host: \
    percent-encode special characters in its user and password";

/// Returns the name of a parameter that seems to be a password, and that no client knows.
fn misspelt_password(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let is_postgres = url.scheme().starts_with("postgres");
    let names = url.query_pairs().map(|(name, _)| name.into_owned());
    let mut names = names.filter(|name| !(is_postgres && name == "password"));
    names.find(|name| {
        let name = name.to_ascii_lowercase();
        let is_short = matches!(&*name, "pass" | "pw" | "token");
        is_short
            || ["passw", "pwd", "passphrase", "secret"]
                .iter()
                .any(|word| name.contains(word))
    })
}

/// Returns `true` for a list of hosts, as libpq and MySQL's drivers accept it.
fn has_host_list(url: &str) -> bool {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    host.contains(',') && !is_password_cut_in_two(url)
}

fn list(schemes: &[&str]) -> String {
    schemes
        .iter()
        .map(|scheme| format!("`{scheme}:`"))
        .collect::<Vec<_>>()
        .join(" or ")
}

/// Returns `true` if the URL's host and port seem to be its user and the beginning of its password,
/// which is not percent-encoded. A parameter's value may contain an `@`.
pub(super) fn is_password_cut_in_two(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else {
        return false;
    };
    if url.fragment().is_some_and(|rest| rest.contains('@')) {
        return true;
    }
    let rest = url[Position::AfterHost..].split_once('@');
    url.username().is_empty() && rest.is_some_and(|(before, _)| !before.contains('='))
}

/// Returns the error of a URL that the client cannot parse.
pub(super) fn malformed(cause: impl Into<BoxError>, source: &Source) -> Error {
    if source.url().is_ok_and(|url| is_password_cut_in_two(&url)) {
        // The cause may show a part of the password.
        return source.problem(CUT_IN_TWO);
    }
    let cause = cause.into();
    let is_url = source.url().is_ok_and(|url| Url::parse(&url).is_ok());
    let advice = if is_url {
        ""
    } else {
        "; percent-encode special characters in its user and password"
    };
    source.problem(format!("is not a usable database URL: {cause}{advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_password_is_named_without_its_value() {
        const SOURCE: Source = Source::env("REUSE_DB_NO_SUCH_VARIABLE");
        let expect = |url: &str| expect_scheme(url, &["postgres", "mysql"], &SOURCE);
        for url in [
            "postgres://host/app?user=app&passwd=s3cret",
            "mysql://app@host/app?pass=s3cret",
            "mysql://app@host/app?password=s3cret",
        ] {
            let text = expect(url).expect_err("unknown").to_string();
            assert!(text.contains("passw") && !text.contains("s3cret"), "{text}");
        }
        let text = expect("postgres://app:42?topsecret@host/app").expect_err("cut");
        let text = text.to_string();
        assert!(
            text.contains("percent-encode") && !text.contains("s3cret"),
            "{text}"
        );
        assert!(expect("postgres://host/app?user=app&password=s3cret").is_ok());
    }

    #[test]
    fn a_password_cut_in_two_is_recognized() {
        for (url, is_cut) in [
            ("postgres://app:42/s3cret@host/app", true),
            ("postgres://app:42?s3cret@host/app", true),
            ("postgres://app:42#s3cret@host/app", true),
            ("postgres://app:s3@cr#et@host/app", true),
            ("postgres://app:s3cret@host/app", false),
            ("postgres://app@host/a@b", false),
            ("postgres://host/app?application_name=a@b", false),
        ] {
            assert_eq!(is_password_cut_in_two(url), is_cut, "{url}");
        }
    }

    #[test]
    fn a_wrong_url_names_the_variable_and_no_secret() {
        let source = Source::env("DATABASE_URL");
        for (url, expected) in [
            (
                "mysql://u:s3cret@host/db",
                "`DATABASE_URL` is a `mysql:` URL",
            ),
            ("u:s3cret@host/db", "`DATABASE_URL` is not a database URL"),
            ("s3cret://u:p", "`DATABASE_URL` is a `s3cret:` URL"),
            ("nonsense", "`DATABASE_URL` is not a database URL"),
            ("postgres://u:s3cret@h1:1,h2:2/db", "names several hosts"),
            ("postgres://h1,h2", "names several hosts"),
        ] {
            let error = expect_scheme(url, &["postgres"], &source)
                .expect_err(url)
                .to_string();
            assert!(error.contains(expected), "{error}");
        }
        for url in [
            "postgres://host/db",
            "postgres://u:a,b@host/d,b?options=a,b",
        ] {
            assert!(expect_scheme(url, &["postgres"], &source).is_ok(), "{url}");
        }
    }
}
