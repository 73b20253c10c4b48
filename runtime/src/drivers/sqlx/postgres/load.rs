//! The load query of PostgreSQL.

use std::time::Duration;

use sqlx::{AssertSqlSafe, ColumnIndex, Decode, Executor, Row as _, Type};

use crate::drivers::sqlx::Driver;
use crate::drivers::sqlx::idle_limits::{IdleLimits, load_sql};
use crate::drivers::sqlx::start_up::{self, Parameter};
use crate::source::{ServerLoad, Source};

/// Returns the number of this user's newer sessions, and three pairs of sessions and their limit:
/// of the server less the reserved slots, of the role, and of the database.
///
/// Of other users' sessions only user and database are visible. The server's own processes have no
/// user or no database. `pg_stat_activity` would take three times as long on a server with 2,000
/// sessions. The SQL names nothing that a `search_path` can replace.
const LOAD: &str = include_str!("../sql/postgres_load.sql");

/// Runs the load query, for this driver and for `AnyConnection`. It leaves an idle limit of zero,
/// because the handler or a pooler has turned it off.
pub(in crate::drivers) async fn server_load<DB>(
    connection: &mut DB::Connection,
    source: &Source,
    least_idle: Duration,
) -> Result<ServerLoad, sqlx::Error>
where
    DB: Driver,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'r> Option<i64>: Decode<'r, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    let parameter = Parameter::IdleSession;
    let is_ours =
        !start_up::url_sets(source, parameter) && !source.sets_on_connect(parameter.name());
    let most = source.idle_limit().filter(|_| is_ours);
    let idle = IdleLimits::new(least_idle, most, Duration::from_millis(1));
    let query = sqlx::raw_sql(AssertSqlSafe(load_sql(LOAD, source, idle)));
    // Reads the answer to its end, which fetching one row would not.
    let answer = query.fetch_all(connection).await?;
    let row = answer.first().ok_or(sqlx::Error::RowNotFound)?;
    let number = |n: usize| row.try_get::<Option<i64>, _>(n);
    let of = |n: usize| Ok::<_, sqlx::Error>((number(n)?, number(n + 1)?));
    let newer = number(0)?.unwrap_or(0);
    Ok(narrowest([of(1)?, of(3)?, of(5)?], newer))
}

/// Returns the load by the limit with the smallest share of free connections, of the server, the
/// role and the database. A negative limit is none.
fn narrowest(limits: [(Option<i64>, Option<i64>); 3], newer: i64) -> ServerLoad {
    let known = limits.into_iter().filter_map(|(connections, limit)| {
        let (connections, limit) = (connections?.try_into().ok()?, limit?.try_into().ok()?);
        Some(ServerLoad {
            connections,
            limit,
            newer: newer.try_into().unwrap_or(0),
        })
    });
    let share = |load: &ServerLoad| load.connections as f64 / load.limit.max(1) as f64;
    let narrowest = known.max_by(|one, other| share(one).total_cmp(&share(other)));
    narrowest.unwrap_or(ServerLoad {
        connections: 0,
        limit: 0,
        newer: 0,
    })
}
