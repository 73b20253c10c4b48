//! The limits of a MySQL or MariaDB session, which its set-up sets.

use super::mysql::MOST_IDLE_SECONDS;
use crate::source::Source;

/// The longest wait for a lock that the server accepts, about a year.
const MOST_LOCK_WAIT_SECONDS: u64 = 31_536_000;

/// Returns SQL that sets the limits of the session. A stricter setting stays.
///
/// The server accepts whole seconds of idle time, up to a year. MariaDB reads the comments that
/// begin with `/*M!`, and MySQL 5.7.8 and later the others.
pub(super) fn sql(source: &Source) -> Option<String> {
    let idle = source.idle_limit();
    if idle.is_none() && source.follows_function() {
        // Behind RDS Proxy each variable pins the session.
        return None;
    }
    let strictest = |name, limit| format!("if(@@{name} > 0, least(@@{name}, {limit}), {limit})");
    let mut sql = match idle {
        Some(idle) => idle.as_secs().clamp(1, MOST_IDLE_SECONDS).to_string(),
        None => "@@wait_timeout".to_owned(),
    };
    sql.insert_str(0, "set session wait_timeout = ");
    if let Some(limit) = source.statement_limit() {
        let (seconds, millis) = (
            limit.as_secs().max(1),
            limit.as_millis().clamp(1, u32::MAX.into()),
        );
        let lock_wait = seconds.min(MOST_LOCK_WAIT_SECONDS);
        for name in ["innodb_lock_wait_timeout", "lock_wait_timeout"] {
            // Zero is a limit, too.
            sql += &format!(", {name} = cast(least(@@{name}, {lock_wait}) as signed)");
        }
        let max_statement_time = strictest("max_statement_time", limit.as_secs_f64().to_string());
        let max_execution_time = strictest("max_execution_time", millis.to_string());
        sql += &format!(" /*M!100101 , max_statement_time = {max_statement_time} */");
        // MySQL takes no DECIMAL, which a minimum of a variable and a number is.
        sql += &format!(" /*!50708 , max_execution_time = cast({max_execution_time} as signed) */");
    }
    if let Some(limit) = source.transaction_limit() {
        let seconds = limit.as_secs().max(1).to_string();
        let idle_transaction = strictest("idle_transaction_timeout", seconds);
        sql += &format!(
            " /*M!100300 , idle_transaction_timeout = cast({idle_transaction} as signed) */"
        );
    }
    Some(sql)
}
