//! The sessions of MySQL and MariaDB, which do not notice during a statement that their client has
//! hung up. So the crate ends them, on a connection of its own.

use sqlx::{AssertSqlSafe, ColumnIndex, Connection as _, Database, Decode, Executor, Type};

use crate::connect::{SessionId, Unused};
use crate::drivers::driver_error::DriverError as _;
use crate::drivers::mysql::{end_sql, limits, session_id};
use crate::drivers::sqlx::{Driver, session};
use crate::error::Error;
use crate::source::Source;

/// Returns the sessions of the account that run a statement, among those with the numbers `:ids`.
const BUSY: &str = "select 'busy', cast(id as char) from information_schema.processlist \
    where id in (:ids) and command <> 'Sleep' and id <> connection_id()";

/// Returns the identity of the session, of the answer to [`SESSION`]. Remembers whether the server
/// is MySQL.
pub(super) fn id<DB>(answer: &[DB::Row], source: &Source) -> Option<SessionId>
where
    DB: Database,
    for<'r> String: Decode<'r, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    let all = values::<DB>(answer, "session");
    let (id, is_mysql) = session_id(all.first()?)?;
    if is_mysql {
        limits::has_no_transaction_limit(source);
    }
    Some(id)
}

/// Returns the second column of the rows whose first is `name`.
fn values<DB>(answer: &[DB::Row], name: &str) -> Vec<String>
where
    DB: Database,
    for<'r> String: Decode<'r, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    let value = |row: &DB::Row| -> Option<String> {
        let named: String = sqlx::Row::try_get(row, 0).ok()?;
        let is_named = named.eq_ignore_ascii_case(name);
        is_named.then(|| sqlx::Row::try_get(row, 1).ok()).flatten()
    };
    answer.iter().filter_map(value).collect()
}

/// Ends a session and its statement, in one round trip. Does nothing if the connection leads to
/// another server, as behind a name with several addresses, or if the server has restarted since.
pub(in crate::drivers) async fn end<DB: Driver>(
    source: &Source,
    session: SessionId,
) -> Result<(), Error> {
    let mut connection = session::open_bare::<DB>(source).await?;
    let result = end_on::<DB>(&mut connection, session).await;
    let _ = connection.close().await;
    result.map_err(Error::broken)
}

async fn end_on<DB: Driver>(
    connection: &mut DB::Connection,
    session: SessionId,
) -> Result<(), sqlx::Error> {
    let sql = end_sql(session);
    ended(DB::execute(connection, sql).await)
}

/// Ends those of the `sessions` that run a statement, if `unused` returns `true` before and after
/// they are found: then nobody waits for their statements, and nobody will use the sessions.
pub(in crate::drivers) async fn end_busy<DB>(
    source: &Source,
    sessions: &[SessionId],
    unused: Unused,
) -> Result<(), Error>
where
    DB: Driver,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'r> String: Decode<'r, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    let mut connection = session::open_bare::<DB>(source).await?;
    let result = end_busy_on::<DB>(&mut connection, sessions, unused).await;
    let _ = connection.close().await;
    result.map_err(Error::broken)
}

async fn end_busy_on<DB>(
    connection: &mut DB::Connection,
    sessions: &[SessionId],
    unused: Unused,
) -> Result<(), sqlx::Error>
where
    DB: Driver,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'r> String: Decode<'r, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    if !unused() {
        return Ok(());
    }
    let numbers: Vec<_> = sessions.iter().map(|id| id.number.to_string()).collect();
    let busy = BUSY.replace(":ids", &numbers.join(", "));
    let answer = sqlx::raw_sql(AssertSqlSafe(busy))
        .fetch_all(&mut *connection)
        .await?;
    let numbers = values::<DB>(&answer, "busy");
    let numbers: Vec<u32> = numbers.iter().filter_map(|id| id.parse().ok()).collect();
    for session in sessions.iter().filter(|id| numbers.contains(&id.number)) {
        if !unused() {
            return Ok(());
        }
        end_on::<DB>(connection, *session).await?;
    }
    Ok(())
}

/// Returns a success if the session has ended by itself, or is none of this server.
fn ended(result: Result<(), sqlx::Error>) -> Result<(), sqlx::Error> {
    match result {
        Err(error) if error.is_rejection() => Ok(()),
        result => result,
    }
}
