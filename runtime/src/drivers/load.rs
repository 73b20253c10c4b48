//! The load query: the connections of the server, and the idle limit of the session by that.

use std::time::Duration;

use super::{Driver, error, target};
use crate::error::Error;
use crate::source::{ServerLoad, Source};
use crate::telemetry::events;

/// Asks for the server's load. Returns `None` behind a pooler, which multiplexes by itself, and if
/// the server rejects the question.
pub(super) async fn ask<DB: Driver>(
    connection: &mut DB::Connection,
    source: &Source,
    least_idle: Duration,
) -> Result<Option<ServerLoad>, Error> {
    if source.pooler.is_some() || target::is_proxy(source) {
        return Ok(None);
    }
    match DB::server_load(connection, source, least_idle).await {
        // A handler that succeeded has left a transaction behind that had failed.
        Err(error) if error::has_code(&error, "25P02") => Err(Error::broken(error)),
        // 57014: the query took longer than the session's `statement_timeout`.
        Err(error)
            if error::is_rejection(&error)
                || error::has_code(&error, "57014")
                || is_not_reported(&error) =>
        {
            events::load_unknown(&error);
            Ok(None)
        }
        // Some compatible servers report no limit, or count nothing.
        Ok(load) if load.limit == 0 || load.connections == 0 => Ok(None),
        Ok(load) => Ok(Some(load)),
        Err(error) => Err(Error::broken(error)),
    }
}

/// Returns `true` for an answer without the rows of a load query, as of a compatible server.
fn is_not_reported(error: &sqlx::Error) -> bool {
    use sqlx::Error::{ColumnDecode, ColumnIndexOutOfBounds, RowNotFound};
    matches!(
        error,
        RowNotFound | ColumnDecode { .. } | ColumnIndexOutOfBounds { .. }
    )
}

/// The limits of the server for the idle time of a session, by its load.
#[derive(Clone, Copy, Debug)]
pub(super) struct IdleLimits {
    /// The limit at the threshold and above.
    least: u128,
    /// What is added to it where there is room.
    range: u128,
}

impl IdleLimits {
    /// Returns limits in units, or `None` if the session's limit is not to be set.
    pub(super) fn new(least: Duration, most: Option<Duration>, unit: Duration) -> Option<Self> {
        let [least, most] = [least, most?].map(|limit| limit.as_nanos() / unit.as_nanos());
        let most = most.clamp(1, i32::MAX.unsigned_abs().into());
        let least = least.min(most);
        Some(Self {
            least,
            range: most - least,
        })
    }
}

/// Returns the SQL of a load query with its parameters filled in.
pub(super) fn sql(template: &str, source: &Source, idle: Option<IdleLimits>) -> String {
    let percent = source.load_shedding.threshold_percent.min(100);
    let sets = if idle.is_some() { "true" } else { "false" };
    let idle = idle.unwrap_or(IdleLimits { least: 0, range: 0 });
    template
        .replace(":percent", &percent.to_string())
        .replace(":sets_idle_limit", sets)
        .replace(":least_idle", &idle.least.to_string())
        .replace(":idle_range", &idle.range.to_string())
}
