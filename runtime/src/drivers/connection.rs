//! A sqlx connection, kept for itself.

use sqlx::Connection;

use super::{Driver, errors};
use crate::{Error, Source};

/// Opens a connection and sets it up.
pub(super) async fn open<DB: Driver>(source: &Source) -> Result<DB::Connection, Error> {
    let url = source.url()?;
    let mut connection = match DB::Connection::connect_with(&DB::options(&url, source)?).await {
        Err(error) if DB::was_too_much(&error, source) => {
            DB::Connection::connect_with(&DB::options(&url, source)?).await?
        }
        result => result?,
    };
    set_up::<DB>(&mut connection, source)
        .await
        .map_err(errors::set_up)?;
    Ok(connection)
}

/// Runs what a new connection needs, in one round trip.
pub(super) async fn set_up<DB: Driver>(
    connection: &mut DB::Connection,
    source: &Source,
) -> Result<(), sqlx::Error> {
    match (DB::set_up(source), source.on_connect) {
        (None, None) => Ok(()),
        (Some(sql), None) => DB::execute(connection, sql).await,
        (None, Some(sql)) => DB::execute(connection, sql.to_owned()).await,
        (Some(first), Some(second)) => DB::execute(connection, format!("{first}; {second}")).await,
    }
}

/// No connection may be kept with a transaction open, whatever its driver thinks of it.
pub(super) fn without_transaction<C: Connection>(
    connection: &C,
    result: Result<(), sqlx::Error>,
) -> Result<(), Error> {
    result.map_err(Error::unsound)?;
    if connection.is_in_transaction() {
        return Err(Error::unsound("a transaction is still open on it"));
    }
    Ok(())
}
