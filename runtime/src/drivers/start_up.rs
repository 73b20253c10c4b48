//! The start-up parameters of a PostgreSQL session: limits that the server enforces. They cost no
//! round trip.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ColumnIndex, Decode, Encode, Executor, IntoArguments, Type};

use super::postgres::detect_passed_names;
use super::session::outside_transaction;
use super::target::{self, Rejection};
use super::{Driver, error, late_limits};
use crate::source::Source;

/// Returns the limit for idle sessions that a reset restores: the start-up parameter, unless a
/// pooler dropped it.
const IDLE_LIMIT_AT_START: &str = "select reset_val from pg_catalog.pg_settings \
    where name operator(pg_catalog.=) 'idle_session_timeout'";

/// Sets the limits of role and database that are stricter than ours, and returns their names.
const STRICTER: &str = include_str!("sql/postgres_stricter.sql");

const TRANSACTION_TIMEOUT: &str = "transaction_timeout";

/// Returns the name of the limit for transactions if the server has it.
const KNOWS_TRANSACTION_TIMEOUT: &str = "select name from pg_catalog.pg_settings \
    where name operator(pg_catalog.=) 'transaction_timeout'";

/// Sets a limit of a session that was opened with another one, unless the session or the server has
/// changed it.
const LATE: &str = include_str!("sql/postgres_late.sql");

/// A start-up parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
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

    pub(super) fn name(self) -> &'static str {
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
    fn value(self, source: &Source) -> Option<u128> {
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

/// Adds the limits that neither the URL sets nor the target is known to reject.
pub(super) fn with_limits(options: PgConnectOptions, source: &Source) -> PgConnectOptions {
    if omits_all(source) {
        return options.extra_float_digits(None);
    }
    match limits(&options, source) {
        limits if limits.is_empty() => options,
        limits => options.options(limits),
    }
}

/// Returns the names and values of the limits that neither the URL sets nor the target is known to
/// reject.
pub(super) fn limits(options: &PgConnectOptions, source: &Source) -> Vec<(&'static str, u128)> {
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

/// Returns `true` if the URL sets a parameter.
pub(super) fn sets(options: &PgConnectOptions, parameter: Parameter) -> bool {
    let set = options.get_options();
    set.is_some_and(|set| set.contains(&format!("{}=", parameter.name())))
}

/// Returns `true` if the source's URL sets a parameter, or is no URL.
pub(super) fn url_sets(source: &Source, parameter: Parameter) -> bool {
    let options = source.url().map(|url| PgConnectOptions::from_str(&url));
    !options.is_ok_and(|options| options.is_ok_and(|options| !sets(&options, parameter)))
}

/// Returns `true` if start-up parameters that a pooler rejects are omitted: ours, and
/// `extra_float_digits`, which sqlx sends for servers before PostgreSQL 12.
fn omits_all(source: &Source) -> bool {
    source.pooler.is_some() || target::rejects_limits(source)
}

/// Remembers what the target has rejected of the `sent` options. Returns `false` for any other
/// error.
///
/// A server does not know a parameter (42704), does not support it on its system (22023), or does
/// not let the role set it (42501, 55P02). RDS Proxy rejects all with 0A000, and PgBouncer with
/// 08P01, its code for everything.
pub(super) fn remember_rejected(
    error: &sqlx::Error,
    source: &Source,
    sent: &PgConnectOptions,
) -> bool {
    let Some(cause) = error.as_database_error() else {
        return false;
    };
    let is_ours = |parameter: &Parameter| sets(sent, *parameter) && !url_sets(source, *parameter);
    let named = |parameter: &Parameter| cause.message().contains(parameter.name());
    // A concurrent connect may have remembered it first.
    let sends_any = !omits_all(source) || Parameter::ALL.iter().any(is_ours);
    match cause.code().as_deref() {
        Some(code @ ("42704" | "22023" | "42501" | "55P02")) => {
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
        Some("0A000") if sends_any => {
            target::remember_rejection(source, Rejection::Proxy, error);
        }
        Some("08P01") if sends_any && cause.message().contains("startup parameter") => {
            target::remember_rejection(source, Rejection::Pooler, error);
        }
        _ => return false,
    }
    true
}

/// Finds out, once and in two round trips, whether a pooler has dropped the start-up parameters of
/// the connection without a word, and whether role or database have stricter limits. Sets the
/// limits of a connection that may have been opened with others.
///
/// Ends an aborted transaction that a handler began in SQL, and returns `true` if there was one.
pub(super) async fn inspect<DB>(
    connection: &mut DB::Connection,
    source: &Source,
) -> Result<bool, sqlx::Error>
where
    DB: Driver,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'r> i64: Decode<'r, DB> + Encode<'r, DB> + Type<DB>,
    DB::Arguments: IntoArguments<DB>,
    usize: ColumnIndex<DB::Row>,
{
    let knows_all = target::is_inspected(source)
        && target::knows_stricter(source)
        && target::has_transaction_timeout(source).is_some()
        && !late_limits::may_be_late(source);
    if knows_all || omits_all(source) || target::is_proxy(source) {
        return Ok(false);
    }
    let mut result = inspect_once::<DB>(connection, source).await;
    // An aborted transaction answers no question.
    let is_aborted = |error: &sqlx::Error| error::has_code(error, "25P02");
    let was_aborted = result.as_ref().is_err_and(is_aborted);
    if was_aborted {
        outside_transaction::<DB>(connection, "select 1").await?;
        result = inspect_once::<DB>(connection, source).await;
    }
    match result {
        // A compatible server.
        Err(error) if error::is_rejection(&error) => {
            target::remember_stricter(source, &[]);
            target::remember_transaction_timeout(source, false);
        }
        result => result?,
    }
    target::remember_inspected(source);
    Ok(was_aborted)
}

async fn inspect_once<DB>(
    connection: &mut DB::Connection,
    source: &Source,
) -> Result<(), sqlx::Error>
where
    DB: Driver,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'r> i64: Decode<'r, DB> + Encode<'r, DB> + Type<DB>,
    DB::Arguments: IntoArguments<DB>,
    usize: ColumnIndex<DB::Row>,
{
    let is_new = target::has_transaction_timeout(source).is_none();
    if (is_new || !target::is_inspected(source)) && is_dropped::<DB>(connection, source).await? {
        target::remember_dropped(source);
        return detect_passed_names::<DB>(connection, source).await;
    }
    let lacks_limit = is_new && target::has_transaction_timeout(source) == Some(true);
    let is_late = lacks_limit || late_limits::may_be_late(source);
    let asks = !target::knows_stricter(source);
    if is_late || asks {
        let stricter = set_limits::<DB>(connection, source, is_late, asks).await?;
        if asks {
            target::remember_stricter(source, &stricter);
        }
    }
    Ok(())
}

/// Sets again what a reset has replaced by the values that the session began with.
pub(super) async fn set_again<DB: Driver>(
    connection: &mut DB::Connection,
    source: &Source,
) -> Result<(), sqlx::Error> {
    if omits_all(source) || target::is_proxy(source) {
        return Ok(());
    }
    let is_late =
        late_limits::may_be_late(source) || target::has_transaction_timeout(source) == Some(true);
    let is_stricter = target::has_stricter(source);
    if is_late || is_stricter {
        set_limits::<DB>(connection, source, is_late, is_stricter).await?;
    }
    Ok(())
}

/// Sets the limits of a session, in one round trip. Returns those that role or database have
/// stricter, if that is asked.
///
/// A late session was opened before the function's time-out was known, or before the server was
/// known to have a limit for transactions.
async fn set_limits<DB: Driver>(
    connection: &mut DB::Connection,
    source: &Source,
    is_late: bool,
    sets_stricter: bool,
) -> Result<Vec<Parameter>, sqlx::Error> {
    let ours = own_limits(source);
    if ours.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = if is_late {
        late_sql(&ours, source)
    } else {
        Vec::new()
    };
    if sets_stricter {
        let limit =
            |(parameter, value): &(Parameter, u128)| format!("('{}', {value})", parameter.name());
        let limits: Vec<_> = ours.iter().map(limit).collect();
        sql.push(STRICTER.replace(":limits", &limits.join(", ")));
    }
    let answer = DB::texts(connection, sql.join(";\n")).await?;
    let names = answer.last().map(String::as_str).unwrap_or_default();
    let is_named = |ours: &Parameter| names.split(',').any(|name| name == ours.name());
    let ours = ours.into_iter().map(|(parameter, _)| parameter);
    Ok(ours
        .filter(|ours| sets_stricter && is_named(ours))
        .collect())
}

/// Returns SQL that sets the limits of a session that may have been opened with earlier ones.
fn late_sql(ours: &[(Parameter, u128)], source: &Source) -> Vec<String> {
    let earlier = late_limits::earlier(source);
    let sql = ours.iter().map(|(parameter, value)| {
        let of = |earlier: &late_limits::Limits| match parameter {
            Parameter::Statement => earlier.statement,
            // The limit of a whole transaction is the same.
            _ => earlier.transaction,
        };
        let replaced = earlier.iter().filter_map(of);
        let replaced = replaced.map(|limit| format!(", '{}'", limit.as_millis()));
        LATE.replace(":name", &format!("'{}'", parameter.name()))
            .replace(":value", &value.to_string())
            .replace(":replaced", &format!("'0'{}", replaced.collect::<String>()))
    });
    sql.collect()
}

/// Returns the limits of statements and transactions that the user has not set.
fn own_limits(source: &Source) -> Vec<(Parameter, u128)> {
    let own = |parameter: Parameter| {
        let is_set = url_sets(source, parameter) || source.sets_on_connect(parameter.name());
        let value = parameter.value(source).filter(|_| !is_set)?;
        Some((parameter, value))
    };
    let all = [
        Parameter::Statement,
        Parameter::IdleInTransaction,
        Parameter::Transaction,
    ];
    all.into_iter().filter_map(own).collect()
}

/// Returns `true` if a pooler has dropped the limit for idle sessions, which PostgreSQL 14 and
/// later know. Finds out whether the server has a limit for transactions as well.
async fn is_dropped<DB: Driver>(
    connection: &mut DB::Connection,
    source: &Source,
) -> Result<bool, sqlx::Error> {
    let parameter = Parameter::IdleSession;
    let asking = format!("{IDLE_LIMIT_AT_START}; {KNOWS_TRANSACTION_TIMEOUT}");
    let mut answer = DB::texts(connection, asking).await?;
    let has_transaction_timeout = answer.pop_if(|last| last == TRANSACTION_TIMEOUT).is_some();
    target::remember_transaction_timeout(source, has_transaction_timeout);
    let is_ours = parameter.value(source).is_some()
        && !target::omits(source, parameter)
        && !url_sets(source, parameter);
    let sent = source.idle_limits_at_connect();
    let sent = sent.map(|limit| limit.as_millis().to_string());
    let is_sent = |at_start: &String| sent.contains(at_start);
    Ok(is_ours && answer.first().is_some_and(|at_start| !is_sent(at_start)))
}

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
