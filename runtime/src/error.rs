//! What can go wrong, and what to do about it.

use std::time::Duration;

use lambda_http::http::Response;

use crate::invocation::Witness;
use crate::refuse;

/// An error's cause, as a driver or a client gave it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why an invocation got no connection, or its transaction no end.
///
/// The text names the real cause and never holds a password: a database is named by its host, port
/// and name.
///
/// It converts into `sqlx::Error`, boxed errors and `anyhow::Error`, so that `?` and the attribute
/// work with the error type that a handler already has.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The environment variable that should say where to connect is unset, or cannot be used.
    #[error("the environment variable `{name}` {problem}")]
    #[non_exhaustive]
    Variable {
        /// The variable's name.
        name: &'static str,
        /// What is wrong with it, and what to write.
        problem: String,
    },

    /// No connection could be had.
    #[error("{}{kind}: {source} ({tries} {} in {elapsed:.1?})", Target(.target), if *.tries == 1 { "try" } else { "tries" })]
    #[non_exhaustive]
    Connect {
        /// What the failure means for the caller.
        kind: Kind,
        /// The database: host, port and name, or the file; empty where no database was asked yet,
        /// or the URL cannot be shown without a part of its password.
        target: String,
        /// How often it was tried.
        tries: u32,
        /// The time spent.
        elapsed: Duration,
        /// The cause of the last try.
        source: BoxError,
        #[doc(hidden)]
        witness: Witness,
    },

    /// A transaction could not be begun or ended.
    #[error("{step} failed: {source}")]
    #[non_exhaustive]
    Transaction {
        /// `BEGIN` or `COMMIT`.
        step: &'static str,
        /// What the driver said.
        source: BoxError,
    },

    /// A connection was used up: it did not pass its check, or cannot be brought to rest.
    #[error("the connection cannot be kept: {source}")]
    #[non_exhaustive]
    Unsound {
        /// What the driver said.
        source: BoxError,
    },

    /// There is no tokio runtime here.
    #[error(
        "no tokio runtime is running here: call the function from async code under tokio, as `#[tokio::main]` does"
    )]
    #[non_exhaustive]
    NoRuntime,

    /// [`run`](crate::run) was called outside AWS Lambda, and cannot serve there.
    #[error("{advice}")]
    #[non_exhaustive]
    OffLambda {
        /// What to do.
        advice: &'static str,
    },
}

/// What a failure to connect means for the caller.
///
/// | kind | PostgreSQL | MySQL, MariaDB | PgBouncer, RDS Proxy | others |
/// |---|---|---|---|---|
/// | [`Saturated`](Self::Saturated) | 53300: too many connections of the server, the role, the database | 1040, 1203, 1226: too many of the server, of the user, in an hour; 1135: no thread for one | `no more connections allowed`, `client connections exceeded`, `query_wait_timeout`, `bouncer resources exhaustion`, the server's 53300 as its words; `Timed-out waiting to acquire database connection` (MySQL: 9501), `Connections rate limit exceeded` | all of `max_connections` in use in this sandbox |
/// | [`Unavailable`](Self::Unavailable) | 57P01, 57P02, 57P03: starting, stopping, crashed; 57014: signing in took it too long; 53200: out of memory; 08xxx but 08P01 | 1053, 1079: stopping; 1129: the host is blocked; 1927: the session was ended; 1041: out of memory; 3032: offline; 08S01: the network, a node that is not ready (1047) | `server down`, `server login has been failing` (unless for a password), `cannot connect to server`, `client_login_timeout`, `no memory`, `shutting down` | refused, reset, hung up, also in the middle of TLS; no answer in time; a name without an address; SQLite: busy, locked |
/// | [`Rejected`](Self::Rejected) | 28P01: password; 28000: role; 3D000: database; every other | 1045: password; 1044, 1049: database; every other | `authentication failed`, `does not exist`, every other | a certificate, no TLS, a file that the URL names; a malformed URL; a socket's path that is not ours; a panic in the driver |
///
/// The tests meet by the server that says it: 53300, 57P01, 57P03, 28P01, 28000, 3D000; 1040, 1203, 1226, 1129,
/// 1044, 1045, 1049; PgBouncer's, but `server login has been failing` and what is of newer versions than 1.18, which
/// says 08P01 to everything, so that its words tell; certificates; SQLite's. The others are rare, or RDS Proxy's, and
/// from documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The server cannot be reached, or is starting or stopping: it may answer later.
    Unavailable,
    /// The server, or this sandbox's own limit, has no connection left: there may be one later.
    Saturated,
    /// The server or the configuration refuses us: a password, a database's name, TLS. Trying again
    /// is of no use.
    Rejected,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unavailable => "unavailable",
            Self::Saturated => "no connection left",
            Self::Rejected => "connection rejected",
        })
    }
}

struct Target<'a>(&'a str);

impl std::fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            Ok(())
        } else {
            write!(f, "{}: ", self.0)
        }
    }
}

impl Error {
    /// The server cannot be reached now: connecting is tried again until the time is up.
    pub fn unavailable(cause: impl Into<BoxError>) -> Self {
        Self::connect(Kind::Unavailable, cause)
    }

    /// The server has no connection left: connecting is tried again until the time is up.
    pub fn saturated(cause: impl Into<BoxError>) -> Self {
        Self::connect(Kind::Saturated, cause)
    }

    /// The server or the configuration refuses us: connecting is not tried again.
    pub fn rejected(cause: impl Into<BoxError>) -> Self {
        Self::connect(Kind::Rejected, cause)
    }

    /// The connection cannot be kept: what [`Connect::check`](crate::Connect::check) and
    /// [`Connect::rest`](crate::Connect::rest) answer.
    pub fn unsound(cause: impl Into<BoxError>) -> Self {
        Self::Unsound {
            source: cause.into(),
        }
    }

    /// What a failure to connect means; `None` if this is another error.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Self::Connect { kind, .. } => Some(*kind),
            _ => None,
        }
    }

    /// The response that tells a client to come back later: a 503 with `Retry-After: 1` and a small
    /// JSON body without the cause. `None` unless the kind is [`Unavailable`](Kind::Unavailable) or
    /// [`Saturated`](Kind::Saturated).
    ///
    /// [`run`](crate::run) and the [`ServiceUnavailable`](crate::ServiceUnavailable) layer answer so
    /// for a handler that returns the error. Where errors become responses inside the handler, as
    /// in axum, this is for that place.
    #[must_use]
    pub fn to_response(&self) -> Option<Response<String>> {
        self.passes().then(refuse::service_unavailable)
    }

    pub(crate) fn connect(kind: Kind, cause: impl Into<BoxError>) -> Self {
        Self::Connect {
            kind,
            target: String::new(),
            tries: 1,
            elapsed: Duration::ZERO,
            source: cause.into(),
            witness: Witness::default(),
        }
    }

    /// The same once more, its cause as text; `None` if it is no error of connecting.
    pub(crate) fn copy(&self) -> Option<Self> {
        let Self::Connect {
            kind,
            target,
            tries,
            elapsed,
            source,
            ..
        } = self
        else {
            return None;
        };
        Some(Self::connect(*kind, source.to_string()).after(target.clone(), *tries, *elapsed))
    }

    pub(crate) fn put(&mut self, own: Witness) {
        if let Self::Connect { witness, .. } = self {
            *witness = own;
        }
    }

    /// Whether trying again may help.
    pub(crate) fn passes(&self) -> bool {
        matches!(self.kind(), Some(Kind::Unavailable | Kind::Saturated))
    }

    /// The same error, told as the end of `tries` tries that took `elapsed` at `target`.
    pub(crate) fn after(mut self, at: String, count: u32, time: Duration) -> Self {
        if let Self::Connect {
            target,
            tries,
            elapsed,
            ..
        } = &mut self
        {
            (*target, *tries, *elapsed) = (at, count, time);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_where_what_how_often_and_how_long() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let error = Error::unavailable(refused).after(
            "127.0.0.1:5432/app".into(),
            3,
            Duration::from_millis(1234),
        );
        assert_eq!(
            error.to_string(),
            "127.0.0.1:5432/app: unavailable: connection refused (3 tries in 1.2s)"
        );
        assert_eq!(
            Error::rejected("no").to_string(),
            "connection rejected: no (1 try in 0.0ns)"
        );
    }
}
