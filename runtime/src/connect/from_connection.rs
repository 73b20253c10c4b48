//! The argument behind a `&mut` parameter: a connection, or a transaction on it.

use super::Connect;
use super::diagnostics::database_trait;
use crate::error::Error;
use crate::response::Outcome;
use crate::source::Source;

database_trait! {
    {
        "`&mut {Self}` cannot be a database parameter",
        "expected a connection or a transaction",
        "write `&` for a pool or a shared client",
        "your own client needs `impl reuse_db::Connect for {Self}`"
    }
    /// A type that a handler can take as `&mut`: a connection, or a transaction on it.
    pub trait FromConnection: Sized {
        /// The connection that is kept.
        type Connection: Connect;

        /// The value for one invocation. The handler's argument is a reference to it.
        type Open<'c>: Finish + Send;

        /// `true` if the value runs statements outside a transaction.
        #[doc(hidden)]
        const NEEDS_OWN_SESSION: bool = false;

        /// Makes the value from a kept connection of the source.
        ///
        /// # Errors
        ///
        /// [`Error::Transaction`] if a transaction could not be begun.
        fn open<'c>(
            connection: &'c mut Self::Connection,
            source: &Source,
        ) -> impl Future<Output = Result<Self::Open<'c>, Error>> + Send;
    }
}

/// The end of a value that was opened for one invocation, before the response is returned.
pub trait Finish {
    /// Ends the value according to the handler's outcome. Awaits only what the response depends
    /// on: a COMMIT.
    ///
    /// # Errors
    ///
    /// [`Error::Transaction`] if a transaction could not be committed.
    fn finish(self, outcome: Outcome) -> impl Future<Output = Result<(), Error>> + Send;
}

#[diagnostic::do_not_recommend]
impl<C: Connect> FromConnection for C {
    type Connection = C;
    type Open<'c> = &'c mut C;
    const NEEDS_OWN_SESSION: bool = true;

    fn open<'c>(
        connection: &'c mut C,
        _: &Source,
    ) -> impl Future<Output = Result<&'c mut C, Error>> + Send {
        std::future::ready(Ok(connection))
    }
}

#[diagnostic::do_not_recommend]
impl<C: Connect> Finish for &mut C {
    fn finish(self, _: Outcome) -> impl Future<Output = Result<(), Error>> + Send {
        std::future::ready(Ok(()))
    }
}
