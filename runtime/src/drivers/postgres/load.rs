//! The load query of PostgreSQL.

use std::time::Duration;

use super::PgSession;
use super::start_up::{self, Parameter};
use crate::drivers::idle_limits::{IdleLimits, load_sql};
use crate::source::{ServerLoad, Source};

/// Returns the number of this user's newer sessions, and three pairs of sessions and their limit:
/// of the server less the reserved slots, of the role, and of the database.
///
/// Of other users' sessions only user and database are visible. The server's own processes have no
/// user or no database. `pg_stat_activity` would take three times as long on a server with 2,000
/// sessions. The SQL names nothing that a `search_path` can replace.
const LOAD: &str = include_str!("sql/load.sql");

/// Runs the load query. It leaves an idle limit of zero, because the handler or a pooler has turned
/// it off. Returns `None` for an answer without numbers, as of a compatible server.
pub(in crate::drivers) async fn server_load<S: PgSession>(
    session: &mut S,
    source: &Source,
    least_idle: Duration,
) -> Result<Option<ServerLoad>, S::Error> {
    let parameter = Parameter::IdleSession;
    let is_ours =
        !start_up::url_sets(source, parameter) && !source.sets_on_connect(parameter.name());
    let most = source.idle_limit().filter(|_| is_ours);
    let idle = IdleLimits::new(least_idle, most, Duration::from_millis(1));
    let answer = session.texts(load_sql(LOAD, source, idle)).await?;
    Ok(answer.first().and_then(|answer| load(answer)))
}

/// Returns the load by the answer to the load query.
fn load(answer: &str) -> Option<ServerLoad> {
    let (numbers, _idle_limit) = answer.split_once(';')?;
    let numbers: Vec<Option<i64>> = numbers.split(',').map(|text| text.parse().ok()).collect();
    let [
        newer,
        of_server,
        server,
        of_role,
        role,
        of_database,
        database,
    ] = numbers[..]
    else {
        return None;
    };
    let limits = [
        (of_server, server),
        (of_role, role),
        (of_database, database),
    ];
    narrowest(limits, newer.unwrap_or(0))
}

/// Returns the load by the limit with the smallest share of free connections, of the server, the
/// role and the database. A negative limit is none.
fn narrowest(limits: [(Option<i64>, Option<i64>); 3], newer: i64) -> Option<ServerLoad> {
    let known = limits.into_iter().filter_map(|(connections, limit)| {
        let (connections, limit) = (connections?.try_into().ok()?, limit?.try_into().ok()?);
        Some(ServerLoad {
            connections,
            limit,
            newer: newer.try_into().unwrap_or(0),
        })
    });
    let share = |load: &ServerLoad| load.connections as f64 / load.limit.max(1) as f64;
    known.max_by(|one, other| share(one).total_cmp(&share(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_is_that_of_the_narrowest_limit() {
        let wanted = |connections, limit| {
            Some(ServerLoad {
                connections,
                limit,
                newer: 1,
            })
        };
        assert_eq!(load("1,30,100,4,5,9,-1;1000"), wanted(4, 5));
        assert_eq!(load("1,30,100,4,-1,9,-1;"), wanted(30, 100));
        assert_eq!(load("1,30,,4,,9,;"), None);
        assert_eq!(load("30"), None);
    }
}
