//! The start-up parameters of a PostgreSQL session: limits that the server enforces. They cost no
//! round trip.

use std::time::Duration;

use url::Url;

use crate::drivers::driver_error::DriverError;
use crate::drivers::late_limits;
use crate::drivers::target::{self, Rejection};
use crate::source::Source;

pub(in crate::drivers) const TRANSACTION_TIMEOUT: &str = "transaction_timeout";

/// A start-up parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::drivers) enum Parameter {
    IdleSession,
    Statement,
    IdleInTransaction,
    /// Of PostgreSQL 17 and later. It reaches what the limit of a statement does not: a COPY that
    /// waits for data, the triggers of a COMMIT, a text of several statements.
    Transaction,
    ConnectionCheck,
    KeepalivesIdle,
    KeepalivesInterval,
    KeepalivesCount,
    UserTimeout,
}

impl Parameter {
    const ALL: [Self; 9] = [
        Self::IdleSession,
        Self::Statement,
        Self::IdleInTransaction,
        Self::Transaction,
        Self::ConnectionCheck,
        Self::KeepalivesIdle,
        Self::KeepalivesInterval,
        Self::KeepalivesCount,
        Self::UserTimeout,
    ];

    pub(in crate::drivers) fn name(self) -> &'static str {
        match self {
            Self::IdleSession => "idle_session_timeout",
            Self::Statement => "statement_timeout",
            Self::IdleInTransaction => "idle_in_transaction_session_timeout",
            Self::Transaction => TRANSACTION_TIMEOUT,
            Self::ConnectionCheck => "client_connection_check_interval",
            Self::KeepalivesIdle => "tcp_keepalives_idle",
            Self::KeepalivesInterval => "tcp_keepalives_interval",
            Self::KeepalivesCount => "tcp_keepalives_count",
            Self::UserTimeout => "tcp_user_timeout",
        }
    }

    /// Returns the value, in milliseconds unless the name says otherwise.
    ///
    /// A frozen sandbox may not acknowledge what the server has sent last. So the limits of TCP are
    /// no shorter than the idle limit.
    pub(in crate::drivers) fn value(self, source: &Source) -> Option<u128> {
        let idle = source.idle_limit();
        let millis = |limit: Duration| limit.as_millis().clamp(1, i32::MAX.unsigned_abs().into());
        match self {
            Self::IdleSession => idle.map(millis),
            Self::Statement => source.statement_limit().map(millis),
            Self::IdleInTransaction => source.transaction_limit().map(millis),
            Self::Transaction => source.whole_transaction_limit().map(millis),
            Self::ConnectionCheck => source.connection_check_interval.map(millis),
            // The most that Linux accepts.
            Self::KeepalivesIdle => idle.map(|idle| u128::from(idle.as_secs().clamp(1, 32_767))),
            Self::KeepalivesInterval => idle.map(|_| 10),
            Self::KeepalivesCount => idle.map(|_| 3),
            Self::UserTimeout => {
                idle.map(|idle| millis(idle.saturating_add(Duration::from_secs(30))))
            }
        }
    }

    /// Returns the parameters that a server knows if it knows this one: those of PostgreSQL 14, and
    /// those of TCP keepalive.
    fn of_one_version(self) -> &'static [Self] {
        match self {
            Self::IdleSession | Self::ConnectionCheck => {
                &[Self::IdleSession, Self::ConnectionCheck]
            }
            Self::KeepalivesIdle | Self::KeepalivesInterval | Self::KeepalivesCount => &[
                Self::KeepalivesIdle,
                Self::KeepalivesInterval,
                Self::KeepalivesCount,
            ],
            Self::Statement => &[Self::Statement],
            Self::IdleInTransaction => &[Self::IdleInTransaction],
            Self::Transaction => &[Self::Transaction],
            Self::UserTimeout => &[Self::UserTimeout],
        }
    }
}

/// Returns the names and values of the limits that neither the `options` of the URL set nor the
/// target is known to reject.
pub(in crate::drivers) fn limits(options: &str, source: &Source) -> Vec<(&'static str, u128)> {
    if omits_all(source) {
        return Vec::new();
    }
    if late_limits::opening(source) {
        target::forget_stricter(source);
    }
    let limit = |parameter: Parameter| {
        let is_known = parameter != Parameter::Transaction
            || target::has_transaction_timeout(source) == Some(true);
        let is_ours = is_known && !sets(options, parameter) && !target::omits(source, parameter);
        let value = parameter.value(source).filter(|_| is_ours)?;
        Some((parameter.name(), value))
    };
    Parameter::ALL.into_iter().filter_map(limit).collect()
}

/// Returns `true` if start-up options set a parameter.
pub(in crate::drivers) fn sets(options: &str, parameter: Parameter) -> bool {
    options.contains(&format!("{}=", parameter.name()))
}

/// Returns `true` if the source's URL sets a parameter, or is no URL.
pub(in crate::drivers) fn url_sets(source: &Source, parameter: Parameter) -> bool {
    let options = source.url().ok().and_then(|url| url_options(&url));
    options.is_none_or(|options| sets(&options, parameter))
}

/// Returns the start-up options of a URL and of the environment, in no form that a server accepts.
/// Returns `None` if the text is no URL.
fn url_options(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let mut options = std::env::var("PGOPTIONS").unwrap_or_default();
    for (name, value) in url.query_pairs() {
        if name == "options" {
            options = format!("{options} {value}");
        } else if let Some(name) = name.strip_prefix("options[") {
            options = format!("{options} {}={value}", name.trim_end_matches(']'));
        }
    }
    Some(options)
}

/// Returns `true` if start-up parameters that a pooler rejects are omitted: ours, and sqlx's
/// `extra_float_digits` for servers before PostgreSQL 12.
pub(in crate::drivers) fn omits_all(source: &Source) -> bool {
    source.pooler.is_some()
        || source.is_dsql()
        || source.is_rds_proxy()
        || target::rejects_limits(source)
}

/// Remembers the part of the `sent` options that the target has rejected. Returns `false` for any
/// other error.
///
/// A server does not know a parameter (42704), does not support it on its system (22023), or does
/// not let the role set it (42501, 55P02). RDS Proxy rejects all with 0A000, and PgBouncer with
/// 08P01, its code for everything.
pub(in crate::drivers) fn remember_rejected<E: DriverError>(
    error: &E,
    source: &Source,
    sent: &str,
) -> bool {
    let Some((code, message)) = error.answer() else {
        return false;
    };
    let is_ours = |parameter: &Parameter| sets(sent, *parameter) && !url_sets(source, *parameter);
    let named = |parameter: &Parameter| message.contains(parameter.name());
    // A concurrent connect may have remembered it first.
    let sends_any = !omits_all(source) || Parameter::ALL.iter().any(is_ours);
    match &*code {
        code @ ("42704" | "22023" | "42501" | "55P02") => {
            let mut ours = Parameter::ALL.into_iter().filter(is_ours);
            let Some(parameter) = ours.find(named) else {
                return false;
            };
            let parameters = match code {
                "42704" => parameter.of_one_version(),
                _ => &[parameter],
            };
            target::remember_unknown(source, parameters, error);
        }
        "0A000" if sends_any => {
            target::remember_rejection(source, Rejection::Proxy, error);
        }
        "08P01" if sends_any && message.contains("startup parameter") => {
            target::remember_rejection(source, Rejection::Pooler, error);
        }
        _ => return false,
    }
    true
}

#[cfg(feature = "postgres")]
#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::Instant;

    use sqlx::PgConnection;

    use super::*;
    use crate::connect::Connect;
    use crate::invocation::{INVOCATION, Invocation};
    use crate::sync::Mutex;

    /// The messages "authenticated" and "ready for a query".
    const WELCOME: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";

    /// Rejects each of the `unknown` parameters, as a server does that does not know it.
    async fn serve(mut client: TcpStream, unknown: &[&str], seen: &Mutex<Vec<String>>) {
        let length = client.read_i32().await.expect("a length");
        let mut start_up = vec![0; length as usize - 4];
        client.read_exact(&mut start_up).await.expect("a message");
        let start_up = String::from_utf8_lossy(&start_up).replace('\0', " ");
        let named = unknown
            .iter()
            .find(|name| start_up.contains(&format!(" {name}=")));
        let answer = match named {
            Some(name) => {
                let text = format!(
                    "SFATAL\0VFATAL\0C42704\0Munrecognized configuration parameter \"{name}\"\0\0"
                );
                let mut answer = vec![b'E'];
                answer.extend((text.len() as i32 + 4).to_be_bytes());
                answer.extend(text.as_bytes());
                answer
            }
            None => WELCOME.to_vec(),
        };
        seen.lock().push(start_up);
        client.write_all(&answer).await.expect("an answer");
        // Until the client closes.
        let _ = client.read_u8().await;
    }

    #[tokio::test]
    async fn a_server_that_rejects_one_keeps_the_others() {
        for (unknown, attempts) in [
            (&[][..], 1),
            (&["client_connection_check_interval"][..], 2),
            (
                &["idle_session_timeout", "client_connection_check_interval"][..],
                2,
            ),
            (&["tcp_user_timeout", "statement_timeout"][..], 3),
        ] {
            let server = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let port = server.local_addr().expect("an address").port();
            let seen = Arc::new(Mutex::new(Vec::new()));
            let recorded = Arc::clone(&seen);
            tokio::spawn(async move {
                while let Ok((client, _)) = server.accept().await {
                    let seen = Arc::clone(&recorded);
                    tokio::spawn(async move { serve(client, unknown, &seen).await });
                }
            });
            let url = format!("postgres://app@127.0.0.1:{port}/app?sslmode=disable");
            let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE").or(url.leak());
            for connects in 0..2 {
                let deadline = Instant::now() + Duration::from_secs(3);
                let connection = PgConnection::connect(&source);
                let connection = INVOCATION.scope(Invocation::new(Some(deadline)), connection);
                assert!(connection.await.is_ok(), "{unknown:?}");
                let seen = seen.lock();
                assert_eq!(seen.len(), attempts + connects, "{unknown:?}");
                let last = seen.last().expect("a message");
                let sent = Parameter::ALL.into_iter();
                // The server has not told that it knows this one.
                let sent = sent.filter(|parameter| *parameter != Parameter::Transaction);
                for parameter in sent {
                    let is_sent = last.contains(&format!(" {}=", parameter.name()));
                    let together = parameter.of_one_version().iter();
                    let is_unknown = together
                        .into_iter()
                        .any(|one| unknown.contains(&one.name()));
                    assert_eq!(is_sent, !is_unknown, "{parameter:?}: {last}");
                }
            }
        }
    }
}
