//! The load query, which asks for the server's connections.

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
