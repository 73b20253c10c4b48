//! Where to connect, and under which limits.

use std::time::Duration;

use crate::connecting::Attempt;
use crate::credentials::{ProvideCredentials, Provider};
use crate::{Error, Guard, sandbox};

/// A pool reserves room for each; few servers take as many.
const MOST_CONNECTIONS: usize = 10_000;

/// Where to connect and under which limits: a `const` builder.
///
/// ```
/// use reuse_db::Source;
/// use std::time::Duration;
///
/// const READER: Source = Source::env("READER_URL")
///     .verify_after(Duration::from_secs(5))
///     .on_connect("set search_path to app");
/// ```
///
/// Statics of the same type with equal `Source`s share their connections.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Source {
    variable: &'static str,
    default: Option<&'static str>,
    pub(crate) max_connections: usize,
    pub(crate) keep: Option<usize>,
    pub(crate) verify_after: Duration,
    pub(crate) check_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) attempt_timeout: Duration,
    pub(crate) retry_base: Duration,
    pub(crate) retry_cap: Duration,
    pub(crate) credentials: Option<Provider>,
    pub(crate) transaction_pooler: bool,
    pub(crate) idle_session_timeout: Option<Duration>,
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) read_write: bool,
    pub(crate) guard: Option<Guard>,
    pub(crate) on_connect: Option<&'static str>,
    /// Of one try to connect: what was before it.
    pub(crate) attempt: Attempt,
}

impl Source {
    /// Connect to the URL in the environment variable `variable`, read whenever a connection is
    /// opened.
    ///
    /// # Errors
    ///
    /// A variable that is unset, or holds no URL that the driver knows, is an [`Error::Variable`]
    /// of the invocation that needed the connection.
    #[must_use]
    pub const fn env(variable: &'static str) -> Self {
        Self {
            variable,
            default: None,
            max_connections: 10,
            keep: None,
            verify_after: Duration::from_secs(1),
            check_timeout: Duration::from_millis(500),
            connect_timeout: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(2),
            retry_base: Duration::from_millis(25),
            retry_cap: Duration::from_secs(1),
            credentials: None,
            transaction_pooler: false,
            idle_session_timeout: Some(Duration::from_secs(300)),
            max_lifetime: None,
            read_write: false,
            guard: None,
            on_connect: None,
            attempt: Attempt::FIRST,
        }
    }

    /// The URL to use when the variable is unset. Default: none.
    #[must_use]
    pub const fn or(mut self, url: &'static str) -> Self {
        self.default = Some(url);
        self
    }

    /// How many connections the sandbox may have leased at once; one more waits for its turn, no
    /// longer than [`connect_timeout`](Self::connect_timeout). For a pool: its `max_connections`.
    /// From 1 to 10,000; what is beyond is taken for the nearest. Default: 10.
    #[must_use]
    pub const fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = match connections {
            0 => 1,
            1..=MOST_CONNECTIONS => connections,
            _ => MOST_CONNECTIONS,
        };
        self
    }

    /// How many idle connections the sandbox keeps between invocations; those above are closed
    /// after the response. Default: as many as were leased at once so far, and at least the
    /// sandbox's concurrency, which is 1 unless Lambda sets `AWS_LAMBDA_MAX_CONCURRENCY`. Does not
    /// apply to pools.
    #[must_use]
    pub const fn keep(mut self, connections: usize) -> Self {
        self.keep = Some(connections);
        self
    }

    /// How long a connection may have been idle and still be used without a check, by the monotonic
    /// and by the wall clock. A check costs one round trip. Default: 1 s.
    #[must_use]
    pub const fn verify_after(mut self, idle: Duration) -> Self {
        self.verify_after = idle;
        self
    }

    /// How long a check of one connection may take, and whatever else is owed to it after a
    /// response; a connection that has not answered by then is dropped. Default: 500 ms.
    #[must_use]
    pub const fn check_timeout(mut self, limit: Duration) -> Self {
        self.check_timeout = limit;
        self
    }

    /// How long a lease may take in all when a connection must be opened, retries included. Inside
    /// an invocation under [`run`](crate::run) it also ends 250 ms before the function's own
    /// deadline. For a pool also its `acquire_timeout`. Default: 5 s.
    #[must_use]
    pub const fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// How long one try to connect may take: TCP, TLS, the server's greeting and setting up together, which sqlx
    /// does in one. One that met with silence is tried again, where the host's name has several
    /// addresses at the next of them, so that a dead one does not use up
    /// [`connect_timeout`](Self::connect_timeout). After each silence the next try may take twice as long,
    /// for the sake of a server that is only slow. Another address is not taken while the URL asks for the host's
    /// name to be verified (`verify-full`, `VERIFY_IDENTITY`), as sqlx has the name from nowhere else. A
    /// pool stays with the address it was opened at until an invocation fails. Default: 2 s.
    #[must_use]
    pub const fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.attempt_timeout = limit;
        self
    }

    /// The longest pause before the second try to connect; it doubles with every try, up to
    /// [`retry_cap`](Self::retry_cap), and each pause is a random part of it (full jitter), so that
    /// sandboxes that were refused together do not come back together. Default: 25 ms.
    #[must_use]
    pub const fn retry_base(mut self, pause: Duration) -> Self {
        self.retry_base = pause;
        self
    }

    /// The longest pause between any two tries to connect. Default: 1 s.
    #[must_use]
    pub const fn retry_cap(mut self, pause: Duration) -> Self {
        self.retry_cap = pause;
        self
    }

    /// An async function that yields the user name and the password for each new connection, in
    /// place of those in the URL: a secret that is rotated, a token that expires.
    ///
    /// ```
    /// use reuse_db::{BoxError, Credentials, Source};
    ///
    /// async fn secret() -> Result<Credentials, BoxError> {
    ///     let token = /* … ask AWS … */ String::from("…");
    ///     Ok(Credentials::new("app", token))
    /// }
    ///
    /// const SOURCE: Source = Source::env("DATABASE_URL").credentials(&secret);
    /// ```
    ///
    /// It is asked in each try to connect, within [`attempt_timeout`](Self::attempt_timeout); if the
    /// server rejects what it yields, it is asked once more, at once, before the lease gives up. A
    /// pool asks when it is opened, for a connection in place of one that was found dead, when an invocation finds
    /// that it was asked more than 5 min ago, and after an invocation that failed, at most once a second: what
    /// sqlx opens besides, it opens as it was told last. The invocation alone waits for it, within
    /// [`attempt_timeout`](Self::attempt_timeout). On MySQL a token of RDS is sent in clear text, as RDS asks for
    /// it: only where the URL has `ssl-mode=REQUIRED` or stricter, and not with `AnyConnection`. Default: none.
    #[must_use]
    pub const fn credentials(mut self, function: &'static dyn ProvideCredentials) -> Self {
        self.credentials = Some(Provider(function));
        self
    }

    /// After how much idle time the server is asked to end the session by itself, so that a sandbox
    /// that was frozen for good or destroyed does not hold it for ever: PostgreSQL 14 and later by
    /// a start-up parameter, MySQL and MariaDB by `wait_timeout`, in whole seconds. A server or proxy that
    /// refuses it is connected to without; that is remembered, and logged once.
    /// [`Duration::ZERO`] leaves the server's own setting: what to write behind RDS Proxy for MySQL, which
    /// keeps a session for the client that has set something in it (pinning). RDS Proxy for PostgreSQL
    /// refuses the parameter, and ends idle clients by itself.
    /// Default: 300 s.
    #[must_use]
    pub const fn idle_session_timeout(mut self, idle: Duration) -> Self {
        self.idle_session_timeout = if idle.is_zero() { None } else { Some(idle) };
        self
    }

    /// How old a connection may become, by the monotonic and by the wall clock: an older one is closed
    /// after the response, or replaced when it is leased next, whichever comes first. For the
    /// connections of a pool too, whose age is that of the monotonic clock; not for other values that
    /// are shared. Default: none.
    #[must_use]
    pub const fn max_lifetime(mut self, age: Duration) -> Self {
        self.max_lifetime = Some(age);
        self
    }

    /// The URL is that of a pooler in transaction mode, like PgBouncer's, which gives each transaction
    /// whichever of its sessions is free. Nothing is asked of the session then:
    /// [`idle_session_timeout`](Self::idle_session_timeout) is left to the pooler, and no start-up
    /// parameter is sent that it would refuse (`options`, `extra_float_digits`; with `AnyConnection` the
    /// latter has to be in PgBouncer's `ignore_startup_parameters`). Without this they are refused once,
    /// which costs the first connection another, and left out from then on. For PostgreSQL.
    ///
    /// What a handler may write is then less, since sqlx 0.9 prepares each statement in one round trip
    /// and runs it in the next, between which a pooler may change the session:
    ///
    /// | statement | PgBouncer before 1.21 | PgBouncer 1.21 and later, `max_prepared_statements` > 0 |
    /// |---|---|---|
    /// | `query(…)` on `&mut PgConnection` or a pool | fails: 42P05, 26000 | works |
    /// | `query(…).persistent(false)` on the same | **may run another client's statement** | the same |
    /// | `query(…)` in a transaction | fails: 42P05, 26000 | works |
    /// | `query(…).persistent(false)` in a transaction | works | works |
    /// | `raw_sql(…)` | works | works |
    ///
    /// So take `&mut Transaction<'_, Postgres>`, with `persistent(false)` on each query; or have no
    /// transaction mode. The left column was found by running PgBouncer 1.18, the right one is from its
    /// documentation. RDS Proxy keeps a prepared statement's session for its client (pinning), so that
    /// all of it works, and nothing is shared. Default: no pooler.
    #[must_use]
    pub const fn transaction_pooler(mut self) -> Self {
        self.transaction_pooler = true;
        self.idle_session_timeout = None;
        self
    }

    /// The database is written to: a connection whose server has become read-only, as a writer does
    /// that was demoted in a failover, does not pass its check, after a failure (PostgreSQL's error
    /// 25006, MySQL's 1290 and 1836) or before an invocation. The next one is opened by the host's
    /// name, and so at the new writer. Checks ask for it in the same round trip; a connection that was
    /// just opened is not asked. Default: not asked.
    #[must_use]
    pub const fn read_write(mut self) -> Self {
        self.read_write = true;
        self
    }

    /// SQL to run on each new connection, before the handler gets it. An error in it is an error of
    /// connecting. After a failed invocation of a `PgConnection` or `MySqlConnection` it is run again, when
    /// what that has set in its session was taken back: so it is to be repeatable. Not with
    /// [`transaction_pooler`](Self::transaction_pooler), where the session is whoever's. Default: none.
    #[must_use]
    pub const fn on_connect(mut self, sql: &'static str) -> Self {
        self.on_connect = Some(sql);
        self
    }

    /// The URL as it is configured now, for those who implement [`Connect`](crate::Connect). It may
    /// hold a password: do not log it.
    ///
    /// # Errors
    ///
    /// [`Error::Variable`] if the variable is unset, empty or not Unicode, and there is no default.
    pub fn url(&self) -> Result<String, Error> {
        match (std::env::var(self.variable), self.default) {
            (Ok(url), _) if url.trim().is_empty() => {
                Err(self.problem("is empty: set it to the database's URL, like `postgres://user:password@host/database`"))
            }
            (Ok(url), _) => Ok(url),
            (Err(std::env::VarError::NotPresent), Some(default)) => Ok(default.to_owned()),
            (Err(std::env::VarError::NotPresent), None) => {
                Err(self.problem("is not set: set it to the database's URL, like `postgres://user:password@host/database`"))
            }
            (Err(std::env::VarError::NotUnicode(_)), _) => Err(self.problem("is not valid Unicode")),
        }
    }

    /// The database's host, port and name, or its file: what an error may show.
    pub(crate) fn target(&self) -> String {
        self.url().map(|url| target(&url)).unwrap_or_default()
    }

    /// An error that names the variable.
    pub(crate) fn problem(&self, problem: impl Into<String>) -> Error {
        Error::Variable {
            name: self.variable,
            problem: problem.into(),
        }
    }

    pub(crate) fn keep_or_concurrency(&self) -> usize {
        self.keep.unwrap_or_else(sandbox::concurrency)
    }
}

/// A URL without its user, password and parameters.
fn target(url: &str) -> String {
    let url = url::Url::parse(url).ok();
    // An `@` after the host is that of a password which is not percent-encoded, cut in two.
    let Some(url) = url.filter(|url| !url[url::Position::AfterHost..].contains('@')) else {
        return String::new();
    };
    let socket = url
        .query_pairs()
        .find(|(key, _)| key == "host" || key == "socket")
        .map(|(_, value)| value.into_owned());
    let host = match (url.host_str().filter(|host| !host.is_empty()), socket) {
        (_, Some(socket)) => socket,
        (Some(host), None) => host.to_owned(),
        (None, None) if url.scheme() == "sqlite" => return url.path().to_owned(),
        (None, None) => return String::new(),
    };
    let default = match url.scheme() {
        "postgres" | "postgresql" => Some(5432),
        "mysql" | "mariadb" => Some(3306),
        _ => None,
    };
    match url.port().or(default) {
        Some(port) => format!("{host}:{port}{}", url.path()),
        None => format!("{host}{}", url.path()),
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("env", &self.variable)
            .field("or", &self.default.map(target))
            .field("max_connections", &self.max_connections)
            .field("keep", &self.keep)
            .field("verify_after", &self.verify_after)
            .field("check_timeout", &self.check_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("retry_base", &self.retry_base)
            .field("retry_cap", &self.retry_cap)
            .field("credentials", &self.credentials.map(|_| "…"))
            .field("transaction_pooler", &self.transaction_pooler)
            .field("idle_session_timeout", &self.idle_session_timeout)
            .field("max_lifetime", &self.max_lifetime)
            .field("read_write", &self.read_write)
            .field("guard", &self.guard)
            .field("on_connect", &self.on_connect.map(|_| "…"))
            .finish()
    }
}

#[cfg(test)]
mod tests;
