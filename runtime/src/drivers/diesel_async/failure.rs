//! The errors of diesel.

use std::error::Error as StdError;

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind, Error as DieselError};

use crate::error::Error;
use crate::response::Outcome;

/// Returns the outcome of one error of a chain. diesel hides the server's code, which the session
/// has seen.
pub(in crate::drivers) fn of_one(error: &(dyn StdError + 'static)) -> Option<Outcome> {
    Some(match error.downcast_ref()? {
        // After a failover, the host's name leads to a server that accepts writes.
        DieselError::DatabaseError(DatabaseErrorKind::ReadOnlyTransaction, _) => Outcome::Broken,
        DieselError::DatabaseError(
            DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand,
            _,
        )
        | DieselError::BrokenTransactionManager => Outcome::Failure,
        _ => Outcome::Rejected,
    })
}

/// Makes `?` and the attribute work in handlers that return diesel's error.
impl From<Error> for DieselError {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let hidden = Hidden { error, text };
        Self::DatabaseError(DatabaseErrorKind::UnableToSendCommand, Box::new(hidden))
    }
}

/// An error of ours inside diesel's. It is kept alive, and with it the 503 of the invocation.
struct Hidden {
    #[allow(dead_code, reason = "it is kept alive")]
    error: Error,
    text: String,
}

impl DatabaseErrorInformation for Hidden {
    fn message(&self) -> &str {
        &self.text
    }

    fn details(&self) -> Option<&str> {
        None
    }

    fn hint(&self) -> Option<&str> {
        None
    }

    fn table_name(&self) -> Option<&str> {
        None
    }

    fn column_name(&self) -> Option<&str> {
        None
    }

    fn constraint_name(&self) -> Option<&str> {
        None
    }

    fn statement_position(&self) -> Option<i32> {
        None
    }
}
