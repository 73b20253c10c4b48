//! The error type of this crate.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// A cause as a driver or a client reported it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The reason why no connection was available, or why a transaction could not be begun or
/// committed.
///
/// The text names the cause. It never contains a password: it identifies a database by host, port
/// and name.
///
/// The error converts into `sqlx::Error`, boxed errors and `anyhow::Error`. So `?` and the
/// attribute work with the error type that a handler already has.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The environment variable that holds the URL is unset or unusable.
    #[error("the environment variable `{name}` {problem}")]
    #[non_exhaustive]
    Variable {
        /// The variable's name.
        name: &'static str,
        /// The problem with its value, and what to write.
        problem: String,
    },

    /// No connection was available.
    #[error(
        "{}{kind}: {}{source}{}{}",
        Target(.target), .finding.introduction(), .finding.advice(), Attempts(*.attempts, *.elapsed)
    )]
    #[non_exhaustive]
    Connect {
        /// The meaning of the failure for the caller.
        kind: ErrorKind,
        /// The database: host, port and name, or the file. Empty if no database was contacted
        /// yet, or if the URL cannot be shown without a part of its password.
        target: String,
        /// The number of attempts to connect.
        attempts: u32,
        /// The time spent, pauses between attempts included.
        elapsed: Duration,
        /// The cause of the last attempt that failed with an answer, or of the last time-out if
        /// none did.
        source: BoxError,
        #[doc(hidden)]
        finding: Finding,
        #[doc(hidden)]
        token: LivenessToken,
    },

    /// A transaction could not be begun or ended.
    #[error("{step} failed: {source}")]
    #[non_exhaustive]
    Transaction {
        /// `BEGIN` or `COMMIT`.
        step: &'static str,
        /// The cause as the driver reported it.
        source: BoxError,
    },

    /// A connection is broken: it failed its health check or still has unfinished work.
    #[error("the connection is broken: {source}")]
    #[non_exhaustive]
    Broken {
        /// The cause as the driver reported it.
        source: BoxError,
    },

    /// The function was called outside a tokio runtime.
    #[error(
        "no tokio runtime is running here: call the function from async code under tokio, \
         as `#[tokio::main]` does"
    )]
    #[non_exhaustive]
    NoRuntime,

    /// [`run`](crate::run) was called outside AWS Lambda and cannot serve there.
    #[error("{advice}")]
    #[non_exhaustive]
    OffLambda {
        /// The steps that make the program run.
        advice: &'static str,
    },
}

/// The meaning of a failure to connect.
///
/// | kind | PostgreSQL | MySQL, MariaDB | PgBouncer, RDS Proxy | elsewhere |
/// |---|---|---|---|---|
/// | [`Saturated`](Self::Saturated) | too many connections to the server, for the role, or to the database | too many connections to the server or for the user; the hourly quota; no thread left | no client connection left (Supavisor, too); `query_wait_timeout` | all of [`max_connections`](crate::Source::max_connections) in use in this sandbox |
/// | [`Unavailable`](Self::Unavailable) | starting, stopping or crashed; sign-in timed out; out of memory; a broken connection | stopping, offline, or out of memory; session ended; cluster node not ready | server down, or suspended (Neon); sign-in at the server keeps failing; shutting down | refused, reset, or closed, also during the TLS handshake; timed out; host name without an address; SQLite: busy or locked |
/// | [`Rejected`](Self::Rejected) | password, role, database; every other error | password, database; host blocked; every other error | authentication failed; unknown database; every other error | certificate; no TLS; an unusable file of a certificate or key that the URL names; a malformed URL; a panic in the driver |
///
/// With [`Source::credentials`](crate::Source::credentials) a rejected user name or password is
/// retried. If the server rejects it until the time is up, the kind is `Unavailable`.
///
/// The classification uses SQLSTATE and error numbers, because message texts are translated. For
/// PgBouncer, and for RDS Proxy before PostgreSQL, it uses their texts, which are not translated:
/// PgBouncer, Supavisor and Neon have one code for everything, and RDS Proxy documents none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The server cannot be reached, or is starting or stopping. It may answer later.
    Unavailable,
    /// The server, or this sandbox's own limit, has no connection left. One may be free later.
    Saturated,
    /// The server or the configuration rejects the connection: a password, a database name, TLS.
    /// A retry does not help.
    Rejected,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unavailable => "unavailable",
            Self::Saturated => "no connection left",
            Self::Rejected => "connection rejected",
        })
    }
}

/// The finding of a driver about a failure to connect, beyond its kind and its cause.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Finding {
    #[default]
    Nothing,
    /// The server rejected user name and password, which new credentials may cure.
    SignInRejected,
    /// The server rejected every sign-in until the time was up.
    /// With the advice of the method by which the source signs in.
    SignInKeptFailing(&'static str),
    /// The server blocks this host after failed connects (MySQL 1129).
    HostBlocked,
    /// The user's connections of this hour are used up (MySQL 1226).
    HourlyQuota,
    /// A proxy limits the rate of new connections, or had no session in time.
    Throttled,
}

impl Finding {
    fn introduction(self) -> &'static str {
        match self {
            Self::SignInKeptFailing(_) => "the sign-in kept failing with new credentials: ",
            Self::Nothing
            | Self::SignInRejected
            | Self::HostBlocked
            | Self::HourlyQuota
            | Self::Throttled => "",
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::HostBlocked => {
                "; run `FLUSH HOSTS` at the server (MySQL 8.4 and later: `TRUNCATE TABLE \
                 performance_schema.host_cache`), or `mysqladmin flush-hosts`, and raise \
                 `max_connect_errors`"
            }
            Self::SignInKeptFailing(advice) => advice,
            Self::Nothing | Self::SignInRejected | Self::HourlyQuota | Self::Throttled => "",
        }
    }
}

struct Target<'a>(&'a str);

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            Ok(())
        } else {
            write!(f, "{}: ", self.0)
        }
    }
}

/// A token that lives exactly as long as the [`Error`] that owns it.
///
/// The [`ServiceUnavailable`](crate::ServiceUnavailable) layer uses it to find out whether a
/// handler's error still contains ours. Walking [`source`](std::error::Error::source) would miss
/// some: a handler's error type need not implement [`std::error::Error`], and `anyhow` hides the
/// error that it was made from.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct LivenessToken(Arc<()>);

impl LivenessToken {
    pub(crate) fn watch(&self) -> Weak<()> {
        Arc::downgrade(&self.0)
    }
}

/// The number of attempts and their time, empty for the error of a single attempt in the middle of
/// others.
struct Attempts(u32, Duration);

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(attempts, elapsed) = self;
        match attempts {
            _ if elapsed.is_zero() => Ok(()),
            1 => write!(f, " (1 attempt in {elapsed:.1?})"),
            _ => write!(f, " ({attempts} attempts in {elapsed:.1?})"),
        }
    }
}

impl Error {
    /// Creates the error of a server that cannot be reached now. Connecting is retried.
    pub fn unavailable(cause: impl Into<BoxError>) -> Self {
        Self::connect(ErrorKind::Unavailable, cause)
    }

    /// Creates the error of a server that has no connection left. Connecting is retried.
    pub fn saturated(cause: impl Into<BoxError>) -> Self {
        Self::connect(ErrorKind::Saturated, cause)
    }

    /// Creates the error of a server or configuration that rejects the connection. Connecting is
    /// not retried.
    pub fn rejected(cause: impl Into<BoxError>) -> Self {
        Self::connect(ErrorKind::Rejected, cause)
    }

    /// Creates the error that [`Connect::check`](crate::Connect::check) and
    /// [`Connect::quiesce`](crate::Connect::quiesce) return for a connection that must not be
    /// used again.
    pub fn broken(cause: impl Into<BoxError>) -> Self {
        Self::Broken {
            source: cause.into(),
        }
    }

    /// Returns the meaning of a failure to connect, `None` for any other error.
    #[must_use]
    pub fn kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Connect { kind, .. } => Some(*kind),
            _ => None,
        }
    }

    pub(crate) fn connect(kind: ErrorKind, cause: impl Into<BoxError>) -> Self {
        Self::Connect {
            kind,
            target: String::new(),
            attempts: 1,
            elapsed: Duration::ZERO,
            source: cause.into(),
            finding: Finding::default(),
            token: LivenessToken::default(),
        }
    }

    /// Sets what the driver found out about a failure to connect.
    pub(crate) fn with_finding(mut self, found: Finding) -> Self {
        if let Self::Connect { finding, .. } = &mut self {
            *finding = found;
        }
        self
    }

    /// Returns `true` if the server rejected user name and password.
    pub(crate) fn rejects_sign_in(&self) -> bool {
        matches!(
            self,
            Self::Connect {
                finding: Finding::SignInRejected,
                ..
            }
        )
    }

    /// Returns `true` if the server has no slot left for another connection.
    pub(crate) fn is_full(&self) -> bool {
        matches!(
            self,
            Self::Connect {
                kind: ErrorKind::Saturated,
                finding: Finding::Nothing,
                ..
            }
        )
    }

    /// Returns `true` if a retry cannot help within the time of an invocation, though it may later.
    pub(crate) fn is_for_long(&self) -> bool {
        matches!(
            self,
            Self::Connect {
                finding: Finding::HourlyQuota,
                ..
            }
        )
    }

    /// Makes a rejection of the sign-in transient, once no time is left for it. The advice follows
    /// the cause.
    pub(crate) fn sign_in_kept_failing(mut self, advice: &'static str) -> Self {
        if let Self::Connect { kind, finding, .. } = &mut self {
            (*kind, *finding) = (ErrorKind::Unavailable, Finding::SignInKeptFailing(advice));
        }
        self
    }

    /// Clones a failure to connect or of a transaction, its cause as text; `None` for any other
    /// error.
    pub(crate) fn clone_as_text(&self) -> Option<Self> {
        let Self::Connect {
            kind,
            target,
            attempts,
            elapsed,
            source,
            finding,
            ..
        } = self
        else {
            return match self {
                Self::Transaction { step, source } => Some(Self::Transaction {
                    step,
                    source: source.to_string().into(),
                }),
                _ => None,
            };
        };
        let clone = Self::connect(*kind, source.to_string()).with_finding(*finding);
        Some(clone.with_attempts(target.clone(), *attempts, *elapsed))
    }

    /// Watches a failure to connect: the reference dangles once the error is dropped.
    pub(crate) fn watch(&self) -> Option<Weak<()>> {
        match self {
            Self::Connect { token, .. } => Some(token.watch()),
            _ => None,
        }
    }

    /// Returns `true` if a retry may help.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(
            self.kind(),
            Some(ErrorKind::Unavailable | ErrorKind::Saturated)
        )
    }

    /// Sets the database, the number of attempts and the time that they took.
    pub(crate) fn with_attempts(mut self, at: String, count: u32, time: Duration) -> Self {
        if let Self::Connect {
            target,
            attempts,
            elapsed,
            ..
        } = &mut self
        {
            (*target, *attempts, *elapsed) = (at, count, time);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_target_cause_attempts_and_time() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let error = Error::unavailable(refused).with_attempts(
            "127.0.0.1:5432/app".into(),
            3,
            Duration::from_millis(1234),
        );
        assert_eq!(
            error.to_string(),
            "127.0.0.1:5432/app: unavailable: connection refused (3 attempts in 1.2s)"
        );
        assert_eq!(Error::rejected("no").to_string(), "connection rejected: no");
    }
}
