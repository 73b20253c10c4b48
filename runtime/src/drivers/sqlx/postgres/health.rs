//! Health checks, resets and inspections of a PostgreSQL session.

use sqlx::{ColumnIndex, Decode, Encode, Executor, IntoArguments, Type};

use super::{forget_passed_names, limits};
use crate::connect::Reset;
use crate::drivers::sqlx::error::has_code;
use crate::drivers::sqlx::session::{end_transaction, outside_transaction};
use crate::drivers::sqlx::{Driver, error, target};
use crate::source::Source;

/// A health check. A session whose role was dropped fails it: such a session has no rights, even if
/// the role is created again.
///
/// The check names nothing that a `search_path` can replace.
const CHECK: &str = "select current_user";

/// A health check for a session that other clients share.
const CHECK_SHARED: &str = "select 1";

/// Fails with 22012, "division by zero", on a read-only server or in a read-only transaction.
const EXPECT_WRITES: &str = include_str!("../sql/postgres_expect_writes.sql");

/// Does what DISCARD ALL does, but as statements beside others, and without deallocating the
/// statements that sqlx has prepared.
const RESET: &str = include_str!("../sql/postgres_reset.sql");

/// Fails with 22012, "division by zero", if a handler has prepared a statement in SQL.
const EXPECT_NOTHING_PREPARED: &str = "select pg_catalog.int4div(1, case \
    when exists (select from pg_catalog.pg_prepared_statements where from_sql) then 0 else 1 end)";

/// Returns SQL that deallocates the statements that handlers have prepared in SQL.
const DEALLOCATE: &str = "select pg_catalog.string_agg( \
        pg_catalog.format('deallocate %I', name), '; ') \
    from pg_catalog.pg_prepared_statements where from_sql";

/// Releases the advisory locks of a session. A handler that succeeded may have left some.
const RELEASE_LOCKS: &str = "select pg_catalog.pg_advisory_unlock_all()";

/// Performs a health check, for this driver and for `AnyConnection`.
pub(in crate::drivers) async fn check<DB: Driver>(
    connection: &mut DB::Connection,
    source: &Source,
) -> Result<(), sqlx::Error> {
    let sql = if target::is_proxy(source) {
        CHECK_SHARED
    } else {
        CHECK
    };
    check_and::<DB>(connection, source, sql).await.map(drop)
}

/// Performs a health check, and resets the session unless other clients share it.
pub(in crate::drivers) async fn reset<DB>(
    connection: &mut DB::Connection,
    source: &Source,
) -> Result<Reset, sqlx::Error>
where
    DB: Driver,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'r> i64: Decode<'r, DB> + Encode<'r, DB> + Type<DB>,
    DB::Arguments: IntoArguments<DB>,
    usize: ColumnIndex<DB::Row>,
{
    limits::inspect::<DB>(connection, source).await?;
    if target::is_proxy(source) {
        check::<DB>(connection, source).await?;
        forget_passed_names::<DB>(connection, source).await?;
        // A proxy that shares no sessions pins this one if a handler changes it.
        return Ok(if target::shares_sessions(source) {
            Reset::Complete
        } else {
            Reset::Partial
        });
    }
    let on_connect = source.on_connect.unwrap_or_default();
    // The rare case is an error, because a DO block would load PL/pgSQL and its settings.
    let again = limits::again_sql(source);
    let sql = format!("{EXPECT_NOTHING_PREPARED}; {CHECK}; {RESET}; {again}; {on_connect}");
    check_and::<DB>(connection, source, &sql).await?;
    Ok(Reset::Complete)
}

/// Ends what a handler left behind that succeeded, unless other clients share the session.
pub(in crate::drivers) async fn inspect<DB>(
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
    let was_open = limits::inspect::<DB>(connection, source).await?;
    if target::is_proxy(source) {
        return Ok(was_open);
    }
    let is_open = match check_and::<DB>(connection, source, RELEASE_LOCKS).await {
        // A server without advisory locks, such as CockroachDB.
        Err(error) if error::is_rejection(&error) => {
            check_and::<DB>(connection, source, CHECK_SHARED).await?
        }
        result => result?,
    };
    Ok(was_open || is_open)
}

/// Runs the SQL of a health check, of which some statements fail with 22012: if the server is
/// read-only and must not be, and if statements must be deallocated. Returns `true` if a
/// transaction was open.
async fn check_and<DB: Driver>(
    connection: &mut DB::Connection,
    source: &Source,
    sql: &str,
) -> Result<bool, sqlx::Error> {
    let expect_writes = if source.read_write { EXPECT_WRITES } else { "" };
    let sql = format!("{expect_writes} {sql}");
    let is_unexpected = |error: &sqlx::Error| has_code(error, "22012");
    let mut result = outside_transaction::<DB>(connection, &sql).await;
    if result.as_ref().is_err_and(is_unexpected) {
        // A read-only transaction may be open.
        end_transaction::<DB>(connection).await?;
        for deallocate in DB::texts(connection, DEALLOCATE.to_owned()).await? {
            DB::execute(connection, deallocate).await?;
        }
        result = outside_transaction::<DB>(connection, &sql).await;
    }
    match result {
        Err(error) if is_unexpected(&error) => error::expect_writes(true).map(|()| false),
        result => result,
    }
}
