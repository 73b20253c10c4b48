//! The SQL of the drivers of MySQL and MariaDB.

pub(in crate::drivers) mod limits;

use tokio::time::Instant;

use crate::connect::SessionId;

/// The longest idle limit that the server accepts: a year.
pub(in crate::drivers) const MOST_IDLE_SECONDS: u64 = 31_536_000;

/// A health check. It does nothing outside a transaction, and ends one that a handler began with
/// SQL of its own.
pub(in crate::drivers) const CHECK: &str = "rollback";

/// A health check that also returns whether the server is read-only: a replica, or set to
/// read-only. Since MariaDB 12 the variable is a text, with two values that also reject writes.
pub(in crate::drivers) const CHECK_WRITER: &str = "rollback; \
    select cast(lower(concat(@@global.read_only)) not in ('0', 'off') \
        or @@global.innodb_read_only as signed)";

/// Releases the locks of a session: of tables, and named ones. After a success, a handler may have
/// left some. After a failure, it is all that SQL can reset: variables and temporary tables stay.
///
/// The special comments are for MariaDB 10.5.2 and MySQL 5.7.5, which have the function, and later.
pub(in crate::drivers) const RELEASE_LOCKS: &str = "unlock tables; \
    do 0 /*M!100502 , release_all_locks() */ /*!50705 , release_all_locks() */";

/// Fails with 1242, "subquery returns more than 1 row", if a handler has turned autocommit off.
/// Otherwise the writes of later invocations would be rolled back.
pub(in crate::drivers) const EXPECT_AUTOCOMMIT: &str =
    "select if(@@autocommit = @@global.autocommit, 0, (select 1 union select 2))";

/// Returns two rows for the server's connections, and one for its limit, the user's limit, the
/// user's connections, and the number of this connection. A user's limit of 0 is no limit.
pub(in crate::drivers) const LOAD: &str = include_str!("sql/load.sql");

/// Sets the idle limit of the session by the server's load, and counts that, because it changes the
/// session.
///
/// MariaDB reads only the first of the two special comments, and MySQL 5.7 and later only the
/// second.
pub(in crate::drivers) const IDLE_LIMIT: &str = include_str!("sql/idle_limit.sql");

/// Returns the number of the session, a number of the server, and the server's time. MySQL adds its
/// name.
pub(in crate::drivers) const SESSION: &str = "select 'session', \
    cast(concat_ws(' ', connection_id(), \
        crc32(concat_ws(' ', @@hostname, @@port, @@server_id)), unix_timestamp() \
        /*!50708 , 'mysql' */) as char)";

/// Ends the session of a number if the server is the one that gave the number, and had started
/// before the session was seen. Both are whole seconds, so a server that started in the same second
/// may have restarted since.
///
/// MariaDB reads only the first of the two special comments, and MySQL 5.7 and later only the
/// second.
const END: &str = "select if(crc32(concat_ws(' ', @@hostname, @@port, @@server_id)) = :server \
        and cast(unix_timestamp() as signed) - cast(variable_value as signed) < :seen, \
        :number, 0) into @reuse_db_kill \
    from /*M! information_schema. *//*!50700 performance_schema. */ global_status \
    where variable_name = 'Uptime'; \
    kill @reuse_db_kill";

/// Returns the identity of the session by the text of [`SESSION`], and `true` for MySQL.
pub(in crate::drivers) fn session_id(text: &str) -> Option<(SessionId, bool)> {
    let mut parts = text.split(' ');
    let id = SessionId {
        number: parts.next()?.parse().ok()?,
        server: parts.next()?.parse().ok()?,
        seen: parts.next()?.parse().ok()?,
        identified: Instant::now(),
    };
    Some((id, parts.next().is_some()))
}

/// Returns SQL that ends a session and its statement, in one round trip. It does nothing if the
/// connection leads to another server, or if the server has restarted since.
pub(in crate::drivers) fn end_sql(session: SessionId) -> String {
    END.replace(":seen", &session.seen.to_string())
        .replace(":server", &session.server.to_string())
        .replace(":number", &session.number.to_string())
}

/// Returns SQL, followed by `more` if there is more.
pub(in crate::drivers) fn and(sql: &str, more: Option<String>) -> String {
    match more {
        Some(more) => format!("{sql}; {more}"),
        None => sql.to_owned(),
    }
}
