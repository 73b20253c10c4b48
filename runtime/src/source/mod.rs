//! The database to connect to, and the limits for doing so.

mod address;
#[cfg(feature = "aws")]
mod aws;
mod backoff;
mod checks;
mod connection_counts;
mod credentials;
mod lifetime;
mod load_shedding;
mod on_connect;
mod pooler;
#[cfg_attr(
    not(any(feature = "_postgres", feature = "_mysql")),
    allow(dead_code, reason = "for drivers of a server")
)]
mod server_limits;
#[cfg(feature = "_database")]
mod service;
mod socket_options;
#[cfg_attr(
    not(any(feature = "_postgres", feature = "_mysql")),
    allow(dead_code, reason = "for drivers of a server")
)]
mod target;
mod tls;

#[cfg(any(
    feature = "_postgres",
    feature = "_mysql",
    feature = "_sqlx",
    feature = "redis"
))]
pub(crate) use address::Address;
pub use credentials::{Credentials, ProvideCredentials};
pub use load_shedding::LoadShedding;
pub(crate) use load_shedding::ServerLoad;
pub(crate) use pooler::Pooler;

use std::time::Duration;

use self::credentials::Origin;
use self::server_limits::ServerLimit;
use self::target::shown;
use self::tls::Tls;
use crate::error::Error;
use crate::socket::Options as SocketOptions;

/// The database to connect to, and the limits for doing so: a `const` builder.
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
    max_connections: Option<usize>,
    pub(crate) keep: Option<usize>,
    pub(crate) verify_after: Duration,
    pub(crate) check_timeout: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) attempt_timeout: Duration,
    pub(crate) retry_base: Duration,
    pub(crate) retry_cap: Duration,
    credentials: Option<Origin>,
    tls: Tls,
    pub(crate) pooler: Option<Pooler>,
    idle_session_timeout: ServerLimit,
    statement_timeout: ServerLimit,
    idle_in_transaction_timeout: ServerLimit,
    pub(crate) connection_check_interval: Option<Duration>,
    pub(crate) socket_options: SocketOptions,
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) read_write: bool,
    pub(crate) reset_session: bool,
    pub(crate) load_shedding: LoadShedding,
    pub(crate) on_connect: Option<&'static str>,
    /// `true` for the pool of SeaORM, which must not be taken for a pool of sqlx.
    is_of_sea_orm: bool,
}

impl Source {
    /// Connects to the URL in the environment variable `variable`, which is read whenever a
    /// connection is opened.
    ///
    /// # Errors
    ///
    /// An unset variable, or a value that is no URL of the driver, is an [`Error::Variable`] of
    /// the invocation that needs the connection.
    #[must_use]
    pub const fn env(variable: &'static str) -> Self {
        // rustc evaluates the defaults once, and not for each static.
        Self {
            variable,
            ..Self::DEFAULTS
        }
    }

    const DEFAULTS: Self = Self {
        variable: "",
        default: None,
        max_connections: None,
        keep: None,
        verify_after: Duration::from_secs(1),
        check_timeout: Duration::from_millis(500),
        connect_timeout: Duration::from_secs(5),
        attempt_timeout: Duration::from_secs(2),
        retry_base: Duration::from_millis(25),
        retry_cap: Duration::from_secs(1),
        credentials: None,
        tls: Tls::AsUrl,
        pooler: None,
        idle_session_timeout: ServerLimit::OfFunction,
        statement_timeout: ServerLimit::OfFunction,
        idle_in_transaction_timeout: ServerLimit::OfFunction,
        connection_check_interval: Some(Duration::from_millis(100)),
        socket_options: SocketOptions {
            keepalive: Duration::from_secs(5),
            user_timeout: Duration::from_secs(10),
        },
        max_lifetime: None,
        read_write: false,
        reset_session: false,
        load_shedding: LoadShedding::new(),
        on_connect: None,
        is_of_sea_orm: false,
    };

    /// Returns the source of SeaORM's pool, which differs from that of a pool of sqlx.
    #[cfg(all(
        feature = "sea-orm",
        any(feature = "mysql", feature = "postgres", feature = "sqlite")
    ))]
    pub(crate) const fn of_sea_orm(mut self) -> Self {
        self.is_of_sea_orm = true;
        self
    }

    /// Sets the URL to use when the variable is unset. Default: none.
    #[must_use]
    pub const fn or(mut self, url: &'static str) -> Self {
        self.default = Some(url);
        self
    }

    /// Sets up to which load of the server a connection is kept after the response. Default: up to
    /// 80 % of what an ordinary client may use. [`LoadShedding::off`] turns it off.
    ///
    /// It applies to PostgreSQL, MySQL and MariaDB: to connections, transactions, leases and pools.
    /// Behind a pooler or proxy nothing is asked, because it multiplexes by itself.
    /// [Fleets](crate::docs::fleets) has the details.
    #[must_use]
    pub const fn load_shedding(mut self, settings: LoadShedding) -> Self {
        self.load_shedding = settings;
        self
    }

    /// Returns the URL as configured now, for implementations of [`Connect`](crate::Connect). It
    /// may contain a password: do not log it.
    ///
    /// The URL asks for the TLS that the source requires, and has what a secret has filled in.
    ///
    /// # Errors
    ///
    /// [`Error::Variable`] if the variable is unset without a default, empty, or not Unicode, or if
    /// its URL contradicts the TLS that the source requires.
    pub fn url(&self) -> Result<String, Error> {
        let url = self.configured_url()?;
        #[cfg(feature = "aws")]
        let url = self.completed(url);
        tls::required(url, self.tls).map_err(|problem| self.problem(problem))
    }

    fn configured_url(&self) -> Result<String, Error> {
        match (std::env::var(self.variable), self.default) {
            (Ok(url), _) if url.trim().is_empty() => Err(self.not_set("is empty")),
            (Ok(url), _) => Ok(url),
            (Err(std::env::VarError::NotPresent), Some(default)) => Ok(default.to_owned()),
            (Err(std::env::VarError::NotPresent), None) => Err(self.not_set("is not set")),
            (Err(std::env::VarError::NotUnicode(_)), _) => {
                Err(self.not_set("is not valid Unicode"))
            }
        }
    }

    fn not_set(&self, problem: &str) -> Error {
        let example = self.example();
        self.problem(format!(
            "{problem}: set it to the database's URL, like {example}"
        ))
    }

    /// Returns an error that names the variable.
    pub(crate) fn problem(&self, problem: impl Into<String>) -> Error {
        Error::Variable {
            name: self.variable,
            problem: problem.into(),
        }
    }

    /// Returns `true` for a SQLite database that ends with its connection.
    pub(crate) fn is_in_memory(&self) -> bool {
        let in_memory = |url: String| {
            let is_sqlite = url.starts_with("sqlite:");
            is_sqlite && (url.contains(":memory:") || url.contains("mode=memory"))
        };
        self.url().is_ok_and(in_memory)
    }

    /// Returns `true` if the SQL of [`on_connect`](Self::on_connect) names a setting.
    #[cfg(any(feature = "_postgres", feature = "_mysql"))]
    pub(crate) fn sets_on_connect(&self, setting: &str) -> bool {
        let sql = self.on_connect.unwrap_or_default();
        sql.to_ascii_lowercase().contains(setting)
    }

    /// Returns `true` if an async function provides the credentials.
    pub(crate) fn has_credentials(&self) -> bool {
        self.credentials.is_some()
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("env", &self.variable)
            .field("or", &self.default.map(shown))
            .field("max_connections", &self.max_connections)
            .field("keep", &self.keep)
            .field("verify_after", &self.verify_after)
            .field("check_timeout", &self.check_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("retry_base", &self.retry_base)
            .field("retry_cap", &self.retry_cap)
            .field("credentials", &self.credentials.map(|_| "…"))
            .field("tls", &self.tls)
            .field("pooler", &self.pooler)
            .field("idle_session_timeout", &self.idle_session_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field(
                "idle_in_transaction_timeout",
                &self.idle_in_transaction_timeout,
            )
            .field("connection_check_interval", &self.connection_check_interval)
            .field("tcp_keepalive", &self.socket_options.keepalive)
            .field("tcp_user_timeout", &self.socket_options.user_timeout)
            .field("max_lifetime", &self.max_lifetime)
            .field("read_write", &self.read_write)
            .field("reset_session", &self.reset_session)
            .field("load_shedding", &self.load_shedding)
            .field("on_connect", &self.on_connect.map(|_| "…"))
            .finish()
    }
}

#[cfg(test)]
mod tests;
