//! The load query on a connection of sqlx.

use std::time::Duration;

use super::Driver;
use crate::drivers::load;
use crate::error::Error;
use crate::source::{ServerLoad, Source};

/// Asks for the server's load, unless a pooler is before it.
pub(super) async fn ask<DB: Driver>(
    connection: &mut DB::Connection,
    source: &Source,
    least_idle: Duration,
) -> Result<Option<ServerLoad>, Error> {
    if !load::is_asked(source) {
        return Ok(None);
    }
    let answer = DB::server_load(connection, source, least_idle).await;
    load::of_answer(answer.or_else(unless_not_reported))
}

/// Returns `None` for an answer without the rows of a load query, as of a compatible server.
fn unless_not_reported(error: sqlx::Error) -> Result<Option<ServerLoad>, sqlx::Error> {
    use sqlx::Error::{ColumnDecode, ColumnIndexOutOfBounds, RowNotFound};
    match error {
        RowNotFound | ColumnDecode { .. } | ColumnIndexOutOfBounds { .. } => Ok(None),
        error => Err(error),
    }
}
