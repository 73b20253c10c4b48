//! The limits of a PostgreSQL session after its start. The crate finds them out and sets them after
//! a response, when there is time.

use super::PgSession;
use super::start_up::{Parameter, TRANSACTION_TIMEOUT, omits_all, url_sets};
use crate::drivers::driver_error::DriverError as _;
use crate::drivers::{late_limits, target};
use crate::source::Source;

/// Returns the values that a reset restores of two parameters: those of the start, unless a pooler
/// dropped them. PostgreSQL before 14 has neither.
///
/// A single parameter is not enough: the server may have the same value by itself, and the URL or
/// the source may set it.
const LIMITS_AT_START: &str = include_str!("sql/limits_at_start.sql");

/// The answer of PostgreSQL before 14 to [`LIMITS_AT_START`].
const UNKNOWN: &str = "unknown";

/// Sets the limits of role and database that are stricter than ours, and returns their names.
const STRICTER: &str = include_str!("sql/stricter.sql");

/// Returns the name of the limit for transactions if the server has it.
const KNOWS_TRANSACTION_TIMEOUT: &str = "select name from pg_catalog.pg_settings \
    where name operator(pg_catalog.=) 'transaction_timeout'";

/// Sets a limit of a session that was opened with another one, unless the session or the server has
/// changed it.
const LATE: &str = include_str!("sql/late.sql");

/// Finds out, once and in two round trips, whether a pooler has dropped the start-up parameters of
/// the connection without a word, and whether role or database have stricter limits. Sets the
/// limits of a connection that may have been opened with others.
///
/// Ends an aborted transaction that a handler began in SQL, and returns `true` if there was one.
pub(super) async fn inspect<S: PgSession>(
    session: &mut S,
    source: &Source,
) -> Result<bool, S::Error> {
    let knows_all = target::is_inspected(source)
        && target::knows_stricter(source)
        && target::has_transaction_timeout(source).is_some()
        && !late_limits::may_be_late(source);
    if knows_all || omits_all(source) || target::is_proxy(source) {
        return Ok(false);
    }
    let mut result = inspect_once(session, source).await;
    // An aborted transaction answers no question.
    let is_aborted = |error: &S::Error| error.has_code("25P02");
    let was_aborted = result.as_ref().is_err_and(is_aborted);
    if was_aborted {
        session.outside_transaction("select 1").await?;
        result = inspect_once(session, source).await;
    }
    match result {
        // A compatible server.
        Err(error) if error.is_rejection() => {
            target::remember_stricter(source, &[]);
            target::remember_transaction_timeout(source, false);
        }
        result => result?,
    }
    target::remember_inspected(source);
    Ok(was_aborted)
}

async fn inspect_once<S: PgSession>(session: &mut S, source: &Source) -> Result<(), S::Error> {
    let is_new = target::has_transaction_timeout(source).is_none();
    if (is_new || !target::is_inspected(source)) && is_dropped(session, source).await? {
        target::remember_dropped(source);
        return session.detect_passed_names(source).await;
    }
    let lacks_limit = is_new && target::has_transaction_timeout(source) == Some(true);
    let is_late = lacks_limit || late_limits::may_be_late(source);
    let asks = !target::knows_stricter(source);
    if is_late || asks {
        let stricter = set_limits(session, source, is_late, asks).await?;
        if asks {
            target::remember_stricter(source, &stricter);
        }
    }
    Ok(())
}

/// Returns SQL that sets again what a reset replaces by the values that the session began with.
pub(super) fn again_sql(source: &Source) -> String {
    if omits_all(source) || target::is_proxy(source) {
        return String::new();
    }
    let is_late =
        late_limits::may_be_late(source) || target::has_transaction_timeout(source) == Some(true);
    limits_sql(source, is_late, target::has_stricter(source))
}

/// Sets the limits of a session, in one round trip. Returns those that role or database have
/// stricter, if that is asked.
///
/// A late session was opened before the function's time-out was known, or before the server was
/// known to have a limit for transactions.
async fn set_limits<S: PgSession>(
    session: &mut S,
    source: &Source,
    is_late: bool,
    sets_stricter: bool,
) -> Result<Vec<Parameter>, S::Error> {
    let sql = limits_sql(source, is_late, sets_stricter);
    if sql.is_empty() {
        return Ok(Vec::new());
    }
    let answer = session.texts(sql).await?;
    let names = answer.last().map(String::as_str).unwrap_or_default();
    let is_named = |ours: &Parameter| names.split(',').any(|name| name == ours.name());
    let ours = own_limits(source)
        .into_iter()
        .map(|(parameter, _)| parameter);
    Ok(ours
        .filter(|ours| sets_stricter && is_named(ours))
        .collect())
}

/// Returns SQL that sets the limits of a session. The last answer is that of [`STRICTER`], if it is
/// sent.
fn limits_sql(source: &Source, is_late: bool, sets_stricter: bool) -> String {
    let ours = own_limits(source);
    let mut sql = Vec::new();
    if is_late {
        sql = late_sql(&ours, source);
    }
    if sets_stricter && !ours.is_empty() {
        let limit =
            |(parameter, value): &(Parameter, u128)| format!("('{}', {value})", parameter.name());
        let limits: Vec<_> = ours.iter().map(limit).collect();
        sql.push(STRICTER.replace(":limits", &limits.join(", ")));
    }
    sql.join(";\n")
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

/// Returns `true` if a pooler has dropped a limit of the start that PostgreSQL 14 and later know.
/// Earlier versions reject it, so a pooler dropped it where such a server accepted the connection.
/// Finds out whether the server has a limit for transactions as well.
async fn is_dropped<S: PgSession>(session: &mut S, source: &Source) -> Result<bool, S::Error> {
    let asking = format!("{LIMITS_AT_START}; {KNOWS_TRANSACTION_TIMEOUT}");
    let mut answer = session.texts(asking).await?;
    let has_transaction_timeout = answer.pop_if(|last| last == TRANSACTION_TIMEOUT).is_some();
    target::remember_transaction_timeout(source, has_transaction_timeout);
    let is_dropped = |parameter: Parameter| {
        let is_ours = parameter.value(source).is_some()
            && !target::omits(source, parameter)
            && !url_sets(source, parameter);
        let at_start = answer.iter().find_map(|line| {
            let value = line.strip_prefix(parameter.name());
            value.map_or((line == UNKNOWN).then_some(UNKNOWN), |value| {
                value.strip_prefix('=')
            })
        });
        is_ours && at_start.is_some_and(|value| !sent(source, parameter).contains(&value.into()))
    };
    Ok([Parameter::IdleSession, Parameter::ConnectionCheck]
        .into_iter()
        .any(is_dropped))
}

/// Returns the values with which a kept connection may have been opened.
fn sent(source: &Source, parameter: Parameter) -> Vec<String> {
    if parameter == Parameter::IdleSession {
        let limits = source.idle_limits_at_connect();
        return limits.map(|limit| limit.as_millis().to_string()).to_vec();
    }
    let value = parameter.value(source);
    value.iter().map(u128::to_string).collect()
}
