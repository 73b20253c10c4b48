//! The errors of clients, as far as the code that drivers share reads them.

use std::borrow::Cow;
use std::fmt::Display;

#[cfg(any(feature = "_postgres", feature = "_mysql"))]
use crate::error::Error;
use crate::error::{BoxError, ErrorKind, Finding};

/// An error of a client.
pub(super) trait DriverError: Display + Into<BoxError> + Send {
    /// Returns the SQLSTATE and the text of the server's answer, if it has answered.
    fn answer(&self) -> Option<(Cow<'_, str>, &str)>;

    /// Returns the kind of the error if connecting has failed with it.
    fn kind(&self) -> ErrorKind;

    /// Returns what the server's answer says beyond the kind.
    fn finding(&self) -> Finding;

    /// Returns `true` for an answer of the server with this SQLSTATE.
    fn has_code(&self, expected: &str) -> bool {
        self.answer().is_some_and(|(code, _)| code == expected)
    }

    /// Returns `true` if the server answered that it will not run the statement.
    ///
    /// MariaDB lets a user sign in whose password has expired, and then rejects most statements.
    fn is_rejection(&self) -> bool {
        self.answer().is_some()
            && self.kind() == ErrorKind::Rejected
            && self.finding() != Finding::SignInRejected
    }
}

/// Returns the error of a server that accepts no writes, as a writer after a failover.
#[cfg(any(feature = "_postgres", feature = "_mysql"))]
pub(super) fn read_only() -> Error {
    Error::unavailable("the server is read-only")
}
