//! Health checks, resets and inspections of a PostgreSQL session.

use super::{PgSession, limits};
use crate::connect::Reset;
use crate::drivers::driver_error::{DriverError as _, read_only};
use crate::drivers::{encryption, target};
use crate::source::Source;

/// A health check. A session whose role was dropped fails it: such a session has no rights, even if
/// the role is created again.
///
/// The check names nothing that a `search_path` can replace.
const CHECK: &str = "select current_user";

/// A health check for a session that other clients share.
const CHECK_SHARED: &str = "select 1";

/// Fails with 22012, "division by zero", on a read-only server or in a read-only transaction.
const EXPECT_WRITES: &str = include_str!("sql/expect_writes.sql");

/// Does what DISCARD ALL does, but as statements beside others, and without deallocating the
/// statements that the client has prepared.
const RESET: &str = include_str!("sql/reset.sql");

/// Fails with 22012, "division by zero", if a handler has prepared a statement in SQL.
const EXPECT_NOTHING_PREPARED: &str = "select pg_catalog.int4div(1, case \
    when exists (select from pg_catalog.pg_prepared_statements where from_sql) then 0 else 1 end)";

/// Returns SQL that deallocates the statements that handlers have prepared in SQL.
const DEALLOCATE: &str = "select pg_catalog.string_agg( \
        pg_catalog.format('deallocate %I', name), '; ') \
    from pg_catalog.pg_prepared_statements where from_sql";

/// Releases the advisory locks of a session. A handler that succeeded may have left some.
const RELEASE_LOCKS: &str = "select pg_catalog.pg_advisory_unlock_all()";

/// Returns `true` or `false`, as a text.
const IS_ENCRYPTED: &str = "select ssl::text from pg_catalog.pg_stat_ssl \
    where pid operator(pg_catalog.=) pg_catalog.pg_backend_pid()";

/// Performs a health check.
pub(in crate::drivers) async fn check<S: PgSession>(
    session: &mut S,
    source: &Source,
) -> Result<(), S::Error> {
    let sql = if target::is_proxy(source) {
        CHECK_SHARED
    } else {
        CHECK
    };
    check_and(session, source, sql).await.map(drop)
}

/// Performs a health check, and resets the session unless other clients share it.
pub(in crate::drivers) async fn reset<S: PgSession>(
    session: &mut S,
    source: &Source,
) -> Result<Reset, S::Error> {
    if source.is_dsql() {
        // It knows no reset. A new connection is short work beside the next handler's surprise.
        return Ok(Reset::Changed);
    }
    limits::inspect(session, source).await?;
    if target::is_proxy(source) {
        check(session, source).await?;
        session.forget_passed_names(source).await?;
        // A proxy that shares no sessions pins this one if a handler changes it.
        return Ok(if target::shares_sessions(source) {
            Reset::Complete
        } else {
            Reset::Partial
        });
    }
    let (set_up, on_connect) = (S::SET_UP, source.on_connect_sql()?.unwrap_or_default());
    // The rare case is an error, because a DO block would load PL/pgSQL and its settings.
    let again = limits::again_sql(source);
    let sql =
        format!("{EXPECT_NOTHING_PREPARED}; {CHECK}; {RESET}; {set_up}; {again}; {on_connect}");
    check_and(session, source, &sql).await?;
    Ok(Reset::Complete)
}

/// Ends what a handler left behind that succeeded, unless other clients share the session.
pub(in crate::drivers) async fn inspect<S: PgSession>(
    session: &mut S,
    source: &Source,
) -> Result<bool, S::Error> {
    if source.is_dsql() {
        return check_and(session, source, CHECK_SHARED).await;
    }
    let was_open = limits::inspect(session, source).await?;
    if target::is_proxy(source) {
        return Ok(was_open);
    }
    let is_open = match check_and(session, source, RELEASE_LOCKS).await {
        // A server without advisory locks, such as CockroachDB.
        Err(error) if error.is_rejection() => check_and(session, source, CHECK_SHARED).await?,
        result => result?,
    };
    inspect_encryption(session, source).await?;
    Ok(was_open || is_open)
}

/// Asks once whether the connection is encrypted, if its client does not tell.
async fn inspect_encryption<S: PgSession>(
    session: &mut S,
    source: &Source,
) -> Result<(), S::Error> {
    if encryption::is_known(source) {
        return Ok(());
    }
    let is_plain = match session.texts(IS_ENCRYPTED.to_owned()).await {
        Ok(answer) => answer.first().is_some_and(|answer| answer == "false"),
        // A compatible server.
        Err(error) if error.is_rejection() => false,
        Err(error) => return Err(error),
    };
    encryption::remember(source, !is_plain);
    Ok(())
}

/// Runs the SQL of a health check, of which some statements fail with 22012: if the server is
/// read-only and must not be, and if statements must be deallocated. Returns `true` if a
/// transaction was open.
async fn check_and<S: PgSession>(
    session: &mut S,
    source: &Source,
    sql: &str,
) -> Result<bool, S::Error> {
    // Each endpoint of Aurora DSQL accepts writes.
    let expects_writes = source.read_write && !source.is_dsql();
    let expect_writes = if expects_writes { EXPECT_WRITES } else { "" };
    let sql = format!("{expect_writes} {sql}");
    let is_unexpected = |error: &S::Error| error.has_code("22012");
    let mut result = session.outside_transaction(&sql).await;
    if result.as_ref().is_err_and(is_unexpected) {
        // A read-only transaction may be open.
        session.texts("rollback".to_owned()).await?;
        for deallocate in session.texts(DEALLOCATE.to_owned()).await? {
            session.texts(deallocate).await?;
        }
        result = session.outside_transaction(&sql).await;
    }
    match result {
        Err(error) if is_unexpected(&error) => Err(read_only().into()),
        result => result,
    }
}
