//! Secrets of Secrets Manager, and their rotation.

use std::env::var;
use std::time::{Duration, SystemTime};

use url::Url;

use super::{Method, add_port, with_database};
use crate::aws::{self, Secret, Version};
use crate::error::Error;
use crate::invocation;
use crate::source::address::{self, Address};
use crate::source::credentials::Origin;
use crate::source::{Credentials, Source};
use crate::sync::Mutex;

/// The name of a secret, or the environment variable that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum Name {
    Of(&'static str),
    In(&'static str),
}

impl Name {
    /// Returns what an error may show. A variable may hold the secret itself by mistake.
    fn shown(self) -> String {
        match self {
            Self::Of(name) => format!("`{name}`"),
            Self::In(variable) => format!("in `{variable}`"),
        }
    }

    fn find(self) -> Result<String, Error> {
        match self {
            Self::Of(name) => Ok(name.to_owned()),
            Self::In(variable) => {
                let problem = |problem: &str| Error::Variable {
                    name: variable,
                    problem: format!("{problem}: set it to the name or the ARN of the secret"),
                };
                match var(variable) {
                    Ok(name) if aws::is_name(&name) => Ok(name),
                    Ok(name) if name.is_empty() => Err(problem("is empty")),
                    Ok(_) => Err(problem(
                        "is no name of a secret, and perhaps the secret itself",
                    )),
                    Err(_) => Err(problem("is not set")),
                }
            }
        }
    }
}

impl Source {
    /// Takes user and password from a secret of AWS Secrets Manager, by its name or its ARN.
    ///
    /// ```
    /// # use reuse_db::Source;
    /// // The secret names host, port and database.
    /// const SOURCE: Source = Source::env("DATABASE_URL")
    ///     .or("postgres://")
    ///     .secret("prod/shop")
    ///     .verified_tls();
    /// ```
    ///
    /// The *AWS Parameters and Secrets Lambda Extension* is asked, at `localhost:2773` or the port
    /// in `PARAMETERS_SECRETS_EXTENSION_HTTP_PORT`: add its layer to the function. The question
    /// stays within the sandbox, and is put for each new connection. The extension answers from
    /// the first invocation on, not before: [`warm`](crate::Exclusive::warm) opens nothing.
    ///
    /// The secret is JSON with `username`, `password`, `host`, `port` and `dbname`, or some of
    /// them. That of a master user which RDS manages has the first two only. User and password
    /// replace the URL's. Host, port and database fill in what the URL leaves out. A text that does
    /// not begin with `{` is the password.
    ///
    /// TLS is as the URL says. Add [`verified_tls`](Self::verified_tls), so that the password
    /// reaches the server only.
    ///
    /// The extension keeps a secret for up to 300 s. If the server rejects the sign-in, it is asked
    /// in ways that it has not kept: for the version that a rotation is making (`AWSPENDING`), by
    /// the ARN, or for an ARN by the name, and by the stage `AWSCURRENT`. So a rotation fails no
    /// invocation, neither before nor after the secret changes.
    ///
    /// The number of these ways is limited: the last one is asked a minute after the first
    /// rejection. A password that changes by hand, or several times within 300 s, may use them up.
    /// Then invocations fail until the extension has forgotten what it kept. Set its
    /// `SECRETS_MANAGER_TTL` to less.
    ///
    /// # Errors
    ///
    /// Missing rights and a missing secret are permanent ([`Error::rejected`]). So are a missing
    /// `AWS_SESSION_TOKEN`, and a host that neither the URL nor the secret names
    /// ([`Error::Variable`]). An extension that does not answer, or is not ready, is retried.
    #[must_use]
    pub const fn secret(mut self, name: &'static str) -> Self {
        self.credentials = Some(Origin::Aws(Method::Secret(Name::Of(name))));
        self
    }

    /// Takes user and password from the secret whose name or ARN is in an environment variable, as
    /// [`secret`](Self::secret) does.
    #[must_use]
    pub const fn secret_env(mut self, variable: &'static str) -> Self {
        self.credentials = Some(Origin::Aws(Method::Secret(Name::In(variable))));
        self
    }

    /// Returns user name and password for a new connection.
    pub(super) async fn credentials_of_secret(&self, name: Name) -> Result<Credentials, Error> {
        let secret = self.usable_secret(name).await?;
        let url = self.url()?;
        let address = Address::of(&url);
        if address.is_none() && needs_host(&url) {
            return Err(self.problem(format!(
                "names no host, nor does the secret {}: write `scheme://host/database`. The secret \
                 of a user that RDS manages has user and password only",
                name.shown()
            )));
        }
        let user = secret.user.or_else(|| address?.user).ok_or_else(|| {
            self.problem(format!(
                "names no user, nor does the secret {}: add `username` to the secret",
                name.shown()
            ))
        })?;
        Ok(Credentials::new(user, secret.password))
    }

    /// Records that the server has rejected the secret that was returned last.
    pub(super) fn doubt_secret(&self) {
        with_history(self, History::doubt);
    }

    /// Fills in what a URL leaves out, by the secret that was returned last.
    pub(super) fn filled_by_secret(&self, url: String) -> String {
        match with_history(self, |history| history.last.clone()) {
            Some(secret) => filled(url, &secret),
            None => url,
        }
    }

    /// Returns the secret, or another version of it if the server has rejected the current one.
    async fn usable_secret(&self, name: Name) -> Result<Secret, Error> {
        let shown = name.shown();
        let name = name.find()?;
        let current = aws::secret(&name, &shown, Version::Current).await;
        let current = current.map_err(|error| {
            // Not retried: the initialization would wait for it in vain.
            if invocation::is_initializing() && error.to_string().contains(aws::NOT_READY) {
                Error::rejected("the extension for secrets answers from the first invocation on")
            } else {
                error
            }
        })?;
        let rejected = with_history(self, |history| history.rejected.clone());
        let secret = if is_among(&rejected, &current) {
            match self.another(&name, &shown, &current, &rejected).await {
                Some(secret) => secret,
                // The server may have rejected a password that is right, while it started.
                None => current,
            }
        } else {
            with_history(self, |history| history.doubted = None);
            current
        };
        self.remember(secret.clone());
        Ok(secret)
    }

    /// Remembers the secret that is used from now on.
    fn remember(&self, secret: Secret) {
        with_history(self, |history| history.last = Some(secret));
        // The secret may name another host.
        self.forget_target();
    }

    /// Asks in ways for which the extension has not kept what was rejected.
    ///
    /// The extension keeps each answer for up to 300 s. So each way is saved for its time after the
    /// first rejection: the secret may follow the server's password.
    async fn another(
        &self,
        name: &str,
        shown: &str,
        current: &Secret,
        rejected: &[Secret],
    ) -> Option<Secret> {
        let since = with_history(self, |history| {
            *history.doubted.get_or_insert_with(SystemTime::now)
        });
        // A clock that was set back must not save them for ever.
        let waited = since.elapsed().unwrap_or(Duration::MAX);
        let other = current.names.iter().find(|other| *other != name);
        let other = other.map_or(name, String::as_str);
        let arns = current.names.iter().map(String::as_str).chain([name]);
        let partial = arns.filter_map(partial_arn).next().unwrap_or(other);
        for (name, version, after_millis) in [
            (name, Version::Pending, 0),
            (other, Version::Current, 0),
            (name, Version::NamedCurrent, 1_200),
            (other, Version::NamedCurrent, 3_200),
            (other, Version::Pending, 10_000),
            (partial, Version::Current, 15_000),
            (partial, Version::NamedCurrent, 60_000),
        ] {
            if waited >= Duration::from_millis(after_millis)
                && let Ok(secret) = aws::secret(name, shown, version).await
                && !is_among(rejected, &secret)
            {
                return Some(secret);
            }
        }
        None
    }
}

/// Returns an ARN without the six characters at its end, by which Secrets Manager finds the secret,
/// too.
fn partial_arn(arn: &str) -> Option<&str> {
    let (partial, suffix) = arn.rsplit_once('-')?;
    (arn.starts_with("arn:") && suffix.len() == 6).then_some(partial)
}

/// Returns `true` for the URL of a server at the network, unless the environment names the host.
fn needs_host(url: &str) -> bool {
    let is_of_server =
        Url::parse(url).is_ok_and(|url| address::standard_port(url.scheme()).is_some());
    is_of_server && !address::is_path(url) && var("PGHOST").is_err()
}

fn is_among(all: &[Secret], secret: &Secret) -> bool {
    all.iter()
        .any(|one| (&one.user, &one.password) == (&secret.user, &secret.password))
}

/// The secrets of one source.
struct History {
    last: Option<Secret>,
    /// Those that the server has rejected, of which a rotation makes one.
    rejected: Vec<Secret>,
    /// The time since which the current one is among them.
    doubted: Option<SystemTime>,
}

impl History {
    const fn new() -> Self {
        Self {
            last: None,
            rejected: Vec::new(),
            doubted: None,
        }
    }

    /// Records that the server has rejected the last one.
    fn doubt(&mut self) {
        const MOST: usize = 4;
        if let Some(last) = self
            .last
            .clone()
            .filter(|last| !is_among(&self.rejected, last))
        {
            self.rejected.push(last);
        }
        let excess = self.rejected.len().saturating_sub(MOST);
        self.rejected.drain(..excess);
    }
}

static HISTORIES: Mutex<Vec<(Source, History)>> = Mutex::new(Vec::new());

fn with_history<T>(source: &Source, work: impl FnOnce(&mut History) -> T) -> T {
    let mut all = HISTORIES.lock();
    if let Some((_, history)) = all.iter_mut().find(|(known, _)| known == source) {
        return work(history);
    }
    let mut history = History::new();
    let result = work(&mut history);
    all.push((*source, history));
    result
}

/// Records that a server has rejected the credentials of some source.
#[cfg(feature = "_sqlx")]
pub(in crate::source) fn doubt_all() {
    aws::forget_keys();
    for (_, history) in &mut *HISTORIES.lock() {
        history.doubt();
    }
}

/// Fills in what a URL leaves out.
fn filled(url: String, secret: &Secret) -> String {
    let Ok(mut parsed) = Url::parse(&url) else {
        return url;
    };
    if Address::of(&url).is_none() && !address::is_path(&url) {
        let Some(host) = &secret.host else {
            return url;
        };
        if parsed.set_host(Some(host)).is_err() {
            return url;
        }
    }
    if let Some(port) = secret.port.filter(|_| !address::is_path(&url)) {
        add_port(&mut parsed, port);
    }
    match &secret.database {
        Some(database) => with_database(parsed.into(), database),
        None => parsed.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_fills_in_what_the_url_leaves_out() {
        let secret = Secret {
            host: Some("db.example".into()),
            port: Some(5433),
            database: Some("shop".into()),
            ..Secret::default()
        };
        for (url, expected) in [
            ("postgres://", "postgres://db.example:5433/shop"),
            (
                "postgres://?sslmode=require",
                "postgres://db.example:5433/shop?sslmode=require",
            ),
            ("mysql:///other", "mysql://db.example:5433/other"),
            ("postgres://reader/", "postgres://reader:5433/shop"),
            ("postgres://u:p@reader:1/a", "postgres://u:p@reader:1/a"),
            ("postgres:///a?host=/run/pg", "postgres:///a?host=/run/pg"),
            ("postgres://?host=h", "postgres:///shop?host=h&port=5433"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(filled(url.to_owned(), &secret), expected);
        }
        assert_eq!(
            filled("postgres://".into(), &Secret::default()),
            "postgres://"
        );
    }

    #[test]
    fn a_url_without_a_host_needs_one() {
        for (url, expected) in [
            ("postgres://", true),
            ("mysql:///shop", true),
            ("postgres:///a?host=/run/pg", false),
            ("mysql:///a?socket=/run/my.sock", false),
            ("sqlite://shop.db", false),
            ("clickhouse://host/shop", false),
            ("nonsense", false),
        ] {
            assert_eq!(needs_host(url), expected, "{url}");
        }
    }

    #[test]
    fn a_target_follows_the_secret() {
        let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE")
            .or("postgres://")
            .secret("a_target_follows_the_secret")
            .verified_tls();
        assert_eq!(source.shown_target(), "");
        for host in ["a.example", "b.example"] {
            let secret = Secret {
                host: Some(host.into()),
                database: Some("shop".into()),
                ..Secret::default()
            };
            source.remember(secret);
            assert_eq!(
                source.url().expect("a URL"),
                format!("postgres://{host}/shop?sslmode=verify-full")
            );
            assert_eq!(source.shown_target(), format!("{host}:5432/shop"));
        }
    }
}
