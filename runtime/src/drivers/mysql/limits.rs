//! The limits of a MySQL or MariaDB session, which its set-up sets.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::MOST_IDLE_SECONDS;
use crate::drivers::late_limits::{self, Limits};
use crate::source::Source;
use crate::sync::Mutex;

/// The longest wait for a lock that the server accepts, about a year.
const MOST_LOCK_WAIT_SECONDS: u64 = 31_536_000;

/// Counts a change to the session that is the crate's own.
const COUNTED_SET: &str = "set @reuse_db_sets = coalesce(@reuse_db_sets, 0) + 1";

/// A variable of the server that limits statements or transactions.
struct Variable {
    name: &'static str,
    /// The begin of a comment that only servers with this variable read: MariaDB those that begin
    /// with `/*M!`, and MySQL 5.7.8 and later the others.
    comment: &'static str,
    /// `true` if zero is the strictest limit. Otherwise it is none.
    zero_is_limit: bool,
    value: fn(&Limits) -> Option<String>,
}

const VARIABLES: [Variable; 5] = [
    Variable {
        name: "innodb_lock_wait_timeout",
        comment: "",
        zero_is_limit: true,
        value: lock_wait,
    },
    Variable {
        name: "lock_wait_timeout",
        comment: "",
        zero_is_limit: true,
        value: lock_wait,
    },
    Variable {
        name: "max_statement_time",
        comment: "/*M!100101 ",
        zero_is_limit: false,
        value: |limits| {
            // The server rounds to microseconds, and zero is none.
            let limit = limits.statement?;
            let longest = Duration::from_secs(MOST_IDLE_SECONDS);
            let limit = limit.clamp(Duration::from_millis(1), longest);
            Some(limit.as_secs_f64().to_string())
        },
    },
    Variable {
        name: "max_execution_time",
        comment: "/*!50708 ",
        zero_is_limit: false,
        value: |limits| {
            let millis = limits.statement?.as_millis();
            Some(millis.clamp(1, u32::MAX.into()).to_string())
        },
    },
    Variable {
        name: "idle_transaction_timeout",
        comment: "/*M!100300 ",
        zero_is_limit: false,
        value: |limits| {
            let seconds = limits.transaction?.as_secs();
            Some(seconds.clamp(1, MOST_IDLE_SECONDS).to_string())
        },
    },
];

fn lock_wait(limits: &Limits) -> Option<String> {
    let seconds = limits.statement?.as_secs();
    Some(seconds.clamp(1, MOST_LOCK_WAIT_SECONDS).to_string())
}

impl Variable {
    /// Returns the stricter of `setting` and `limit`.
    fn strictest(&self, setting: &str, limit: &str) -> String {
        if self.zero_is_limit {
            return format!("least({setting}, {limit})");
        }
        format!("if({setting} > 0, least({setting}, {limit}), {limit})")
    }

    /// Returns an assignment that follows others. MySQL takes no DECIMAL, which a minimum of a
    /// variable and a number is. Only the variable of MariaDB takes fractions.
    fn assign(&self, value: &str) -> String {
        let Self { name, comment, .. } = self;
        let value = match *name {
            "max_statement_time" => value.to_owned(),
            _ => format!("cast({value} as signed)"),
        };
        let end = if comment.is_empty() { "" } else { " */" };
        format!(" {comment}, session {name} = {value}{end}")
    }
}

/// Returns `true` if a session of the source has limits. Behind RDS Proxy, where each variable pins
/// the session, it has none.
pub(in crate::drivers) fn has_any(source: &Source) -> bool {
    if source.is_rds_proxy() {
        return false;
    }
    source.idle_limit().is_some() || !source.follows_function()
}

/// Returns SQL that sets the limits of the session. A stricter setting stays.
///
/// The server accepts whole seconds of idle time, up to a year.
pub(in crate::drivers) fn sql(source: &Source) -> Option<String> {
    if !has_any(source) {
        return None;
    }
    late_limits::opening(source);
    let mut sql = match source.idle_limit() {
        Some(idle) => {
            let seconds = idle.as_secs().clamp(1, MOST_IDLE_SECONDS);
            format!("cast(least(@@wait_timeout, {seconds}) as signed)")
        }
        None => "@@wait_timeout".to_owned(),
    };
    sql.insert_str(0, "set session wait_timeout = ");
    let limits = Limits::of(source);
    for variable in VARIABLES {
        if let Some(limit) = (variable.value)(&limits) {
            let setting = format!("@@{}", variable.name);
            sql += &variable.assign(&variable.strictest(&setting, &limit));
        }
    }
    Some(sql)
}

/// Returns SQL that sets the limits of a session that may have been opened with other ones. `None`
/// if there is no such session.
///
/// A limit stays if the handler or the source has changed it.
pub(in crate::drivers) fn late_sql(source: &Source) -> Option<String> {
    let earlier = late_limits::earlier(source);
    if earlier.is_empty() {
        return None;
    }
    let limits = Limits::of(source);
    let mut sql = COUNTED_SET.to_owned();
    for variable in VARIABLES {
        let Some(limit) = (variable.value)(&limits) else {
            continue;
        };
        let name = variable.name;
        let replaced = earlier.iter().filter_map(variable.value);
        let replaced: String = replaced.map(|limit| format!(", {limit}")).collect();
        let strictest = variable.strictest(&format!("@@global.{name}"), &limit);
        sql += &variable.assign(&format!(
            "if(@@{name} in (@@global.{name}{replaced}), {strictest}, @@{name})"
        ));
    }
    Some(sql)
}

/// The sources whose server has no limit for a session that is idle in a transaction: MySQL.
static WITHOUT_TRANSACTION_LIMIT: Mutex<Vec<Source>> = Mutex::new(Vec::new());

/// Remembers that the server has no limit for a session that is idle in a transaction.
pub(in crate::drivers) fn has_no_transaction_limit(source: &Source) {
    let mut all = WITHOUT_TRANSACTION_LIMIT.lock();
    if !all.contains(source) {
        all.push(*source);
    }
}

/// `true` once a transaction has shortened the idle limit of its session.
static SHORTENS: AtomicBool = AtomicBool::new(false);

/// Returns SQL that shortens the session's idle limit for a transaction, before its BEGIN. `None`
/// if the server has a limit of its own for that, or if the idle limit is no longer.
pub(in crate::drivers) fn shorten_idle_limit(source: &Source) -> Option<String> {
    let is_known = WITHOUT_TRANSACTION_LIMIT.lock().contains(source);
    if !is_known || source.sets_on_connect("wait_timeout") {
        return None;
    }
    let limit = source.transaction_limit()?;
    if source.idle_limit().is_some_and(|idle| idle <= limit) {
        return None;
    }
    SHORTENS.store(true, Ordering::Relaxed);
    let limit = limit.as_secs().max(1);
    Some(format!(
        "{COUNTED_SET}, @reuse_db_idle = coalesce(@reuse_db_idle, @@wait_timeout), \
         session wait_timeout = cast(least(@@wait_timeout, {limit}) as signed)"
    ))
}

/// Returns SQL that restores the idle limit if the session has shortened it. `None` if no session
/// has.
pub(in crate::drivers) fn restore_idle_limit() -> Option<String> {
    SHORTENS.load(Ordering::Relaxed).then(|| {
        format!(
            "{COUNTED_SET}, session wait_timeout = \
             cast(coalesce(@reuse_db_idle, @@wait_timeout) as signed), @reuse_db_idle = null"
        )
    })
}
