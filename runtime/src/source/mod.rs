//! The database to connect to, and the limits for doing so.

mod address;
#[cfg(feature = "aws")]
mod aws;
mod credentials;
mod load_shedding;
mod on_connect;
#[cfg_attr(
    not(any(feature = "_postgres", feature = "_mysql")),
    allow(dead_code, reason = "for drivers of a server")
)]
mod server_limits;
#[cfg(feature = "_database")]
mod service;
mod target;
mod tls;

#[cfg(feature = "_driver")]
pub(crate) use address::Address;
pub use credentials::{Credentials, ProvideCredentials};
pub use load_shedding::LoadShedding;
pub(crate) use load_shedding::ServerLoad;

use std::sync::LazyLock;
use std::time::Duration;

use self::credentials::Origin;
use self::server_limits::ServerLimit;
use self::target::target;
use self::tls::Tls;
use crate::environment;
use crate::error::Error;
use crate::random;
use crate::socket::Options as SocketOptions;

/// The default of [`Source::max_connections`], unless the sandbox serves more invocations at once.
const DEFAULT_CONNECTIONS: usize = 10;

/// The largest value of [`Source::max_connections`]. sqlx's pool reserves room for each.
const MOST_CONNECTIONS: usize = 10_000;

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

    /// Limits the connections that the sandbox may lease at once. A further lease waits for a
    /// free connection, for at most [`connect_timeout`](Self::connect_timeout). For a pool this is
    /// its `max_connections`. Values are clamped to 1..=10,000.
    ///
    /// Default: 10, or the sandbox's concurrency (`AWS_LAMBDA_MAX_CONCURRENCY`) if that is larger.
    #[must_use]
    pub const fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = Some(match connections {
            0 => 1,
            1..=MOST_CONNECTIONS => connections,
            _ => MOST_CONNECTIONS,
        });
        self
    }

    /// Limits the idle connections that the sandbox keeps between invocations. Excess connections
    /// are closed after the response. Does not apply to pools.
    ///
    /// Default: as many as were leased at once so far, and at least the sandbox's concurrency. That
    /// is 1 unless Lambda sets `AWS_LAMBDA_MAX_CONCURRENCY`.
    #[must_use]
    pub const fn keep(mut self, connections: usize) -> Self {
        self.keep = Some(connections);
        self
    }

    /// Sets the idle time, by the monotonic and the wall clock, after which a connection gets a
    /// health check before it is used. A check costs one round trip. Default: 1 s.
    #[must_use]
    pub const fn verify_after(mut self, idle: Duration) -> Self {
        self.verify_after = idle;
        self
    }

    /// Limits a health check, and each step of background work after a response. A connection
    /// that has not answered by then is dropped. Default: 500 ms.
    #[must_use]
    pub const fn check_timeout(mut self, limit: Duration) -> Self {
        self.check_timeout = limit;
        self
    }

    /// Limits a lease in total when a connection must be opened, retries included.
    ///
    /// Inside an invocation under [`run`](crate::run) a lease also ends 250 ms before the
    /// function's deadline, and earlier if the last invocations held the connection for longer. For
    /// a pool this is also its `acquire_timeout`. Default: 5 s.
    #[must_use]
    pub const fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Limits one attempt to connect: TCP, TLS, the server's greeting, sign-in and set-up
    /// together, because sqlx does them in one step.
    ///
    /// An attempt that times out is retried. If the host name has several addresses, the next one
    /// is tried, so that one dead host does not use up
    /// [`connect_timeout`](Self::connect_timeout). After each time-out the next attempt may take
    /// twice as long, so that a slow server can answer.
    ///
    /// The next address is not tried if the URL asks to verify the host name (`verify-full`,
    /// `VERIFY_IDENTITY`), because sqlx takes that name from the URL's host. `AnyConnection` always
    /// connects by name. A pool keeps the address that it was opened at until an invocation fails.
    /// Default: 2 s.
    #[must_use]
    pub const fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.attempt_timeout = limit;
        self
    }

    /// Sets the longest pause before the second attempt to connect. It doubles with every attempt,
    /// up to [`retry_cap`](Self::retry_cap).
    ///
    /// Each pause is a random part of it (full jitter), so that sandboxes which failed together do
    /// not retry together. Default: 25 ms.
    #[must_use]
    pub const fn retry_base(mut self, pause: Duration) -> Self {
        self.retry_base = pause;
        self
    }

    /// Sets the longest pause between any two attempts to connect. Default: 1 s.
    ///
    /// While the server is full, a pause is also at most 500 ms and a quarter of the time left. So
    /// the sandbox that has waited for longest tries most often.
    #[must_use]
    pub const fn retry_cap(mut self, pause: Duration) -> Self {
        self.retry_cap = pause;
        self
    }

    /// Sets an async function that returns user name and password for each new connection, in
    /// place of those in the URL. Use it for rotating secrets and expiring tokens. Default: none.
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
    /// The function is called in each attempt to connect, and its time counts toward
    /// [`attempt_timeout`](Self::attempt_timeout).
    ///
    /// If the server rejects the sign-in, the function is called again at once, and then with
    /// pauses of at least 500 ms plus full jitter, until the lease's time is up. So a rotation is
    /// waited for in which the secret follows the server's password. After that the error is
    /// transient ([`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable)), and the client gets
    /// a 503. Without this function a rejected sign-in is permanent. Any other rejection, such as
    /// an unknown database or an invalid certificate, is permanent in any case. The server counts
    /// each of these attempts if it locks users out (MySQL `FAILED_LOGIN_ATTEMPTS`, MariaDB
    /// `max_password_errors`): allow a dozen for each sandbox.
    ///
    /// An error of the function is retried like a server that cannot be reached, unless it is an
    /// [`Error::rejected`].
    ///
    /// For a pool, the function is called when the pool is opened, when a dead connection is
    /// replaced, when the credentials are older than 5 min, and after a failed invocation (at most
    /// once a second). Connections that sqlx opens by itself use the credentials of the opening or
    /// the last renewal, not those of a replacement. A rejected sign-in of such a connection is
    /// not retried. If the handler returns its error, the client gets a 503. Only the invocation
    /// that triggered the call waits for it, for at most `attempt_timeout`.
    ///
    /// On MySQL, RDS requires an IAM token in clear text. It is sent only if the URL has
    /// `ssl-mode=REQUIRED` or stricter. `AnyConnection` does not support credentials.
    #[must_use]
    pub const fn credentials(mut self, function: &'static dyn ProvideCredentials) -> Self {
        self.credentials = Some(Origin::function(function));
        self
    }

    /// Sets the idle time after which the server ends a session. A destroyed sandbox then holds no
    /// session for ever. In whole seconds on MySQL and MariaDB. Default: 300 s, or the function's
    /// time-out plus 1 s if that is longer. A handler may pause for as long between two statements.
    /// While the time-out is unknown, the default is 901 s on Lambda.
    ///
    /// PostgreSQL 14 and later get it as a start-up parameter, MySQL and MariaDB as
    /// `wait_timeout`. If a server or proxy rejects it, connecting is repeated without it. That is
    /// remembered for the target and logged once. A load query shortens it where the server has
    /// little room, see [Fleets](crate::docs::fleets#the-idle-limit). On MySQL and MariaDB a
    /// stricter `wait_timeout` stays.
    ///
    /// [`Duration::ZERO`] leaves the server's setting. On MySQL and MariaDB it also turns off the
    /// KILL of an abandoned statement, and the limits of statements and transactions, unless they
    /// are set. Use it behind RDS Proxy for MySQL, which pins a session that sets a variable. RDS
    /// Proxy for PostgreSQL rejects the parameter and ends idle clients by itself.
    #[must_use]
    pub const fn idle_session_timeout(mut self, idle: Duration) -> Self {
        self.idle_session_timeout = ServerLimit::of(idle);
        self
    }

    /// Sets the time after which the server ends a statement. Its error is 57014 of PostgreSQL,
    /// 1969 of MariaDB, and 3024 of MySQL. Default: the function's time-out plus 1 s, because no
    /// statement is of use after its invocation.
    ///
    /// PostgreSQL gets it as the start-up parameter `statement_timeout`, without a round trip.
    /// MariaDB gets it as `max_statement_time`, and MySQL as `max_execution_time`, which limits
    /// SELECT only. Both also get it as the limit of a wait for a lock, whose error is 1205. There
    /// a stricter setting stays. So does a stricter one of PostgreSQL's role or database, once a
    /// sandbox has found it, after its first response.
    ///
    /// `options` in the URL and [`on_connect`](Self::on_connect) replace it.
    /// [`Duration::ZERO`] leaves the server's setting. By default nothing is set while the time-out
    /// is unknown, as under a plain `lambda_http::run`. Where Lambda runs several invocations at
    /// once, nothing is set either.
    ///
    /// PostgreSQL 17 and later also limit a whole transaction to the function's time-out plus 1 s
    /// (`transaction_timeout`), unless this or
    /// [`idle_in_transaction_timeout`](Self::idle_in_transaction_timeout) is set. By default that
    /// limit ends the session, in place of this error.
    #[must_use]
    pub const fn statement_timeout(mut self, limit: Duration) -> Self {
        self.statement_timeout = ServerLimit::of(limit);
        self
    }

    /// Sets the time after which the server ends a session that is idle in a transaction. So the
    /// locks of a sandbox that died in a transaction are released. Default: the function's time-out
    /// plus 1 s.
    ///
    /// PostgreSQL gets it as the start-up parameter `idle_in_transaction_session_timeout`, and
    /// MariaDB as `idle_transaction_timeout`. MySQL has no such limit: there a `&mut Transaction`
    /// shortens `wait_timeout` from its BEGIN to its COMMIT. Everything else is as for
    /// [`statement_timeout`](Self::statement_timeout).
    #[must_use]
    pub const fn idle_in_transaction_timeout(mut self, limit: Duration) -> Self {
        self.idle_in_transaction_timeout = ServerLimit::of(limit);
        self
    }

    /// Sets the interval at which PostgreSQL 14 and later look, during a statement, for a client
    /// that has hung up. So the server ends an abandoned statement. It is the start-up parameter
    /// `client_connection_check_interval`. Default: 100 ms. [`Duration::ZERO`] leaves the server's
    /// setting.
    #[must_use]
    pub const fn connection_check_interval(mut self, interval: Duration) -> Self {
        self.connection_check_interval = if interval.is_zero() {
            None
        } else {
            Some(interval)
        };
        self
    }

    /// Sets the time without traffic after which the kernel asks the server's whether it is there
    /// (TCP keepalive). It asks again each second. So a handler that waits for an answer notices a
    /// server, or a network, that is gone: once nothing was acknowledged for
    /// [`tcp_user_timeout`](Self::tcp_user_timeout), its statement fails with an I/O error.
    /// Default: 5 s. [`Duration::ZERO`] leaves the system's setting.
    ///
    /// In whole seconds, where [the socket is seen](crate::docs::sockets).
    #[must_use]
    pub const fn tcp_keepalive(mut self, idle: Duration) -> Self {
        self.socket_options.keepalive = idle;
        self
    }

    /// Sets the time after which the kernel gives a connection up whose server acknowledges
    /// nothing, neither data nor a question of [`tcp_keepalive`](Self::tcp_keepalive).
    /// Default: 10 s. [`Duration::ZERO`] leaves the system's setting, which is about 15 min for
    /// data.
    ///
    /// A server that computes for longer acknowledges the questions, and is waited for. But a
    /// server that reads nothing for so long is given up, even if it is alive: a COPY whose rows
    /// wait for a lock. Where [the socket is seen](crate::docs::sockets).
    #[must_use]
    pub const fn tcp_user_timeout(mut self, limit: Duration) -> Self {
        self.socket_options.user_timeout = limit;
        self
    }

    /// Limits the age of a connection, by the monotonic and the wall clock. An older one is closed
    /// after the response, or replaced at the next lease. Default: none.
    ///
    /// Each process shortens the limit by a random part of its tenth. So sandboxes that started
    /// together do not reconnect together.
    ///
    /// It also applies to the connections of a pool, by the monotonic clock, but not to other
    /// shared values.
    #[must_use]
    pub const fn max_lifetime(mut self, age: Duration) -> Self {
        self.max_lifetime = Some(age);
        self
    }

    /// Declares that the URL leads to a pooler in transaction mode, such as PgBouncer, which may
    /// use another session for each transaction. For PostgreSQL. Default: no pooler.
    ///
    /// The handler takes `&mut Transaction<'_, Postgres>`, and each statement in it is safe.
    /// `&mut PgConnection` and pools are refused with an [`Error::Connect`]: sqlx 0.9 prepares a
    /// statement in one round trip and runs it in the next. Outside a transaction the pooler may
    /// change the session in between, and the other session may run **another client's statement**.
    ///
    /// Connections set no [`idle_session_timeout`](Self::idle_session_timeout) and send no start-up
    /// parameter that a pooler rejects (`options`, `extra_float_digits`). A new connection asks in
    /// four round trips whether the pooler renames prepared statements, as PgBouncer 1.21 and later
    /// do with `max_prepared_statements` above 0. If not, BEGIN removes the session's statements in
    /// its own round trip, and each transaction prepares its statements anew.
    ///
    /// After a failed invocation the session is checked but not reset, because clients share it.
    /// Settings belong into the transaction: `set local`, `set_config(…, true)`.
    ///
    /// Without this declaration, a pooler that rejects the start-up parameters is noticed at the
    /// first connect, and is then treated in the same way. `AnyConnection` always sends
    /// `extra_float_digits`; list it in PgBouncer's `ignore_startup_parameters`.
    ///
    /// [Transaction poolers](crate::docs::transaction_pooler) has the details.
    #[must_use]
    pub const fn transaction_pooler(mut self) -> Self {
        self.pooler = Some(Pooler::Transaction);
        self.idle_session_timeout = ServerLimit::Off;
        self
    }

    /// Declares that the URL leads to a pooler in session mode, where each client has a session of
    /// its own. For PostgreSQL. Default: no pooler.
    ///
    /// Connections set no [`idle_session_timeout`](Self::idle_session_timeout) and send no start-up
    /// parameter that a pooler rejects, and do not ask for the server's load. Everything else is as
    /// without a pooler.
    #[must_use]
    pub const fn session_pooler(mut self) -> Self {
        self.pooler = Some(Pooler::Session);
        self.idle_session_timeout = ServerLimit::Off;
        self
    }

    /// Resets the session after each invocation, also after a success, so that no setting reaches
    /// the next one. Default: only after a failed invocation.
    ///
    /// Use it if requests set a tenant, a role, a `search_path` or a temporary table. The reset
    /// follows the response:
    ///
    /// | connection | reset | cost |
    /// |---|---|---|
    /// | PostgreSQL | settings, role, temporary tables, cursors, LISTEN, advisory locks, SQL-level PREPARE | one round trip |
    /// | MySQL, MariaDB, SQLite, your own client | a new connection replaces the old one | a connect |
    /// | pool on PostgreSQL | each connection when it returns to the pool | one round trip for each return |
    /// | pool on MySQL, MariaDB, SQLite | each connection is closed when it returns to the pool | a connect for each use |
    ///
    /// Prepared statements that the client has cached are kept. A reset session equals a new one,
    /// with one exception of PostgreSQL: a custom setting that was set once reads as `''` and no
    /// longer as NULL. On PostgreSQL [`on_connect`](Self::on_connect) runs again after the reset.
    ///
    /// A SQLite database in memory ends with its connection. Behind a pooler in transaction mode,
    /// declared or not, this method has no effect, because clients share the sessions: use
    /// `set local`. Behind another proxy that rejected a start-up parameter, such as RDS Proxy, a
    /// new connection replaces the old one.
    #[must_use]
    pub const fn reset_session(mut self) -> Self {
        self.reset_session = true;
        self
    }

    /// Requires a server that accepts writes. Default: not required.
    ///
    /// A health check then fails if the server is read-only, as a writer is after it was demoted in
    /// a failover (PostgreSQL error 25006; MySQL 1290 and 1836). The question is part of the health
    /// check's round trip. A busy connection is checked every 10 s, after a response.
    ///
    /// A new connection is opened by the host's name, and asked in one more round trip. While the
    /// name still leads to a read-only server, connecting is retried until the time is up.
    #[must_use]
    pub const fn read_write(mut self) -> Self {
        self.read_write = true;
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
            (Ok(url), _) if url.trim().is_empty() => {
                Err(self.problem(format!("is empty: {SET_IT}")))
            }
            (Ok(url), _) => Ok(url),
            (Err(std::env::VarError::NotPresent), Some(default)) => Ok(default.to_owned()),
            (Err(std::env::VarError::NotPresent), None) => {
                Err(self.problem(format!("is not set: {SET_IT}")))
            }
            (Err(std::env::VarError::NotUnicode(_)), _) => {
                Err(self.problem(format!("is not valid Unicode: {SET_IT}")))
            }
        }
    }

    /// Returns what an error may show of the database: host, port and name, or the file.
    pub(crate) fn target(&self) -> String {
        self.url().map(|url| target(&url)).unwrap_or_default()
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

    /// Returns the limit of [`max_connections`](Self::max_connections), or its default.
    pub(crate) fn connection_limit(&self) -> usize {
        self.max_connections.unwrap_or_else(|| {
            environment::concurrency().clamp(DEFAULT_CONNECTIONS, MOST_CONNECTIONS)
        })
    }

    /// Returns the limit of [`max_lifetime`](Self::max_lifetime), less this process's part.
    pub(crate) fn lifetime(&self) -> Option<Duration> {
        let most = self.max_lifetime.or_else(|| self.longest_of_server())?;
        Some(most - (most / 10).mul_f64(*LIFETIME_PART))
    }

    /// Returns the longest time for which the server keeps a session, less some minutes.
    fn longest_of_server(&self) -> Option<Duration> {
        #[cfg(feature = "_database")]
        if self.is_dsql() {
            return Some(LIFETIME_OF_DSQL);
        }
        None
    }

    pub(crate) fn keep_or_concurrency(&self) -> usize {
        self.keep.unwrap_or_else(environment::concurrency)
    }
}

/// The longest life of a connection to Aurora DSQL, which ends a session after 60 minutes.
#[cfg(feature = "_database")]
const LIFETIME_OF_DSQL: Duration = Duration::from_secs(55 * 60);

/// The part of a tenth by which this process shortens lifetimes, from 0 to 1.
static LIFETIME_PART: LazyLock<f64> = LazyLock::new(|| {
    if cfg!(test) {
        return 0.0;
    }
    random::unit()
});

/// The mode of a pooler in front of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pooler {
    /// A client has a session for one transaction.
    Transaction,
    /// A client has a session until it disconnects.
    Session,
}

const SET_IT: &str = "set it to the database's URL, like `postgres://user:password@host/database`";

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
