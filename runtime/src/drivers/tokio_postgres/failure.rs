//! The outcome that an error of tokio-postgres stands for.

use std::error::Error as StdError;

use tokio_postgres::Error;
use tokio_postgres::error::DbError;

use crate::drivers::sqlstate;
use crate::response::Outcome;

/// Returns the outcome of one error of a chain, unless its source decides.
pub(in crate::drivers) fn of_one(error: &(dyn StdError + 'static)) -> Option<Outcome> {
    if let Some(error) = error.downcast_ref::<DbError>() {
        return Some(of_answer(error));
    }
    let error = error.downcast_ref::<Error>()?;
    if let Some(error) = error.as_db_error() {
        return Some(of_answer(error));
    }
    if error.is_closed() {
        return Some(Outcome::Failure);
    }
    Some(match error.to_string().as_str() {
        "unexpected message from server" | "error parsing response from server" => Outcome::Broken,
        // A value does not fit its type, as after a change of the type.
        text if text.starts_with("error deserializing column")
            || text.starts_with("error serializing parameter") =>
        {
            Outcome::Stale
        }
        "error communicating with the server"
        | "error performing TLS handshake"
        | "timeout waiting for server" => Outcome::Failure,
        _ => Outcome::Rejected,
    })
}

fn of_answer(error: &DbError) -> Outcome {
    sqlstate::outcome(error.code().code(), error.message())
}
