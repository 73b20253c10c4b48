//! The files of certificates and keys that a URL or the environment names.

use url::Url;

use crate::drivers::named_file;
use crate::error::Error;

/// A parameter that names a file.
struct Parameter {
    names: &'static [&'static str],
    /// The variable that sqlx reads for PostgreSQL if the URL has no such parameter.
    variable: &'static str,
    content: &'static str,
    /// The end of the line that begins the content in PEM format.
    marker: &'static str,
}

const PARAMETERS: [Parameter; 3] = [
    Parameter {
        names: &["sslrootcert", "ssl-root-cert", "sslca", "ssl-ca"],
        variable: "PGSSLROOTCERT",
        content: "certificate",
        marker: "CERTIFICATE-----",
    },
    Parameter {
        names: &["sslcert", "ssl-cert"],
        variable: "PGSSLCERT",
        content: "certificate",
        marker: "CERTIFICATE-----",
    },
    Parameter {
        names: &["sslkey", "ssl-key"],
        variable: "PGSSLKEY",
        content: "private key",
        marker: "PRIVATE KEY-----",
    },
];

/// Expects files where the URL and the environment name some.
pub(super) fn expect(url: &str) -> Result<(), Error> {
    files(url)
        .iter()
        .try_for_each(|(name, path, _)| named_file::expect(name, path))
}

/// Returns the first problem with a file that the URL or the environment names: its parameter, its
/// path, and the cause.
pub(super) fn problem(url: &str) -> Option<String> {
    if let Some(name) = unread(url) {
        return Some(format!(
            "`{name}` is read by no client of MySQL: write `ssl-ca`"
        ));
    }
    files(url).into_iter().find_map(|(name, path, parameter)| {
        let file = format!("`{name}` names the file `{path}`");
        match std::fs::read(&path) {
            Err(error) => Some(format!("{file}, which cannot be read: {error}")),
            Ok(content) => {
                let Parameter {
                    content: what,
                    marker,
                    ..
                } = parameter;
                let is_pem = String::from_utf8_lossy(&content).contains(marker);
                (!is_pem).then(|| format!("{file}, which holds no {what} in PEM format"))
            }
        }
    })
}

/// Lists the files, for an error of TLS whose cause is one of them.
///
/// Of a bundle, sqlx with native-tls reads the first certificate only.
pub(super) fn list(url: &str) -> Option<String> {
    let file = |(name, path, _): (String, String, _)| {
        let content = std::fs::read(&path).unwrap_or_default();
        let certificates = String::from_utf8_lossy(&content)
            .matches("BEGIN CERTIFICATE-----")
            .count();
        let bundle = if certificates > 1 {
            ", which has several certificates: `tls-native-tls` of sqlx reads the first only"
        } else {
            ""
        };
        format!("`{name}` names the file `{path}`{bundle}")
    };
    let files = files(url).into_iter().map(file);
    files.reduce(|all, file| format!("{all}; {file}"))
}

/// Returns `true` if the URL or the environment names the file of an authority.
pub(super) fn names_authority(url: &str) -> bool {
    let [authority, ..] = &PARAMETERS;
    let in_url = Url::parse(url).is_ok_and(|url| authority.in_url(&url).is_some());
    in_url || (url.starts_with("postgres") && std::env::var_os(authority.variable).is_some())
}

/// Returns the name of a parameter of PostgreSQL in a URL of MySQL.
fn unread(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let is_mysql = matches!(url.scheme(), "mysql" | "mariadb");
    let mut names = url.query_pairs().map(|(name, _)| name);
    names
        .find(|name| is_mysql && matches!(&**name, "sslrootcert" | "ssl-root-cert"))
        .map(std::borrow::Cow::into_owned)
}

/// Returns the files, each with the name of its parameter or variable. A value that is itself in
/// PEM format is none, and may be secret.
fn files(url: &str) -> Vec<(String, String, &'static Parameter)> {
    let Ok(url) = Url::parse(url) else {
        return Vec::new();
    };
    let is_postgres = url.scheme().starts_with("postgres");
    let file = |parameter: &'static Parameter| {
        let in_environment = || {
            let path = std::env::var(parameter.variable).ok()?;
            is_postgres.then(|| (parameter.variable.to_owned(), path))
        };
        let (name, path) = parameter.in_url(&url).or_else(in_environment)?;
        (!path.contains("-----BEGIN")).then_some((name, path, parameter))
    };
    PARAMETERS.iter().filter_map(file).collect()
}

impl Parameter {
    /// Returns its name and its value in a URL. The last one wins, as in sqlx.
    fn in_url(&self, url: &Url) -> Option<(String, String)> {
        url.query_pairs()
            .filter(|(key, _)| self.names.contains(&key.as_ref()))
            .last()
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_missing_or_in_another_format_is_named() {
        // A file that is no certificate.
        let toml = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let inline = "-----BEGIN PRIVATE KEY-----%0As3cret%0A-----END PRIVATE KEY-----";
        for (query, expected) in [
            (format!("sslkey={inline}"), None),
            ("sslmode=require".to_owned(), None),
            (
                format!("ssl-ca={toml}"),
                Some("holds no certificate in PEM"),
            ),
            (
                format!("sslkey={toml}"),
                Some("holds no private key in PEM"),
            ),
            (
                "sslrootcert=/no/such".to_owned(),
                Some("`sslrootcert` is read by no client of MySQL: write `ssl-ca`"),
            ),
            (
                format!("sslkey={inline}&sslcert=/no/such"),
                Some("`sslcert` names the file `/no/such`, which cannot be read"),
            ),
        ] {
            let url = format!("mysql://app:s3cret@host/app?{query}");
            let problem = problem(&url);
            let text = problem.as_deref().unwrap_or_default();
            assert_eq!(problem.is_some(), expected.is_some(), "{query}: {text}");
            assert!(text.contains(expected.unwrap_or_default()), "{text}");
            assert!(!text.contains("s3cret"), "{text}");
        }
        let error = expect("postgres://h/d?sslrootcert=/dev/zero").expect_err("no file");
        assert!(error.to_string().contains("which is no file"), "{error}");
        for query in ["sslrootcert=/no/such", "sslmode=require"] {
            assert!(
                expect(&format!("postgres://h/d?{query}")).is_ok(),
                "{query}"
            );
        }
    }
}
