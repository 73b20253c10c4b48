//! What a `&mut` parameter is made of, and how it ends.

use crate::wrong_type::told;
use crate::{Connect, Error, Outcome};

told! {
    {
        "`&mut {Self}` is not a database that can be kept",
        "no connection or transaction that reuse-db knows",
        "a pool or a client that is shared is taken as `&`",
        "for a client of your own write `impl reuse_db::Connect for {Self}`"
    }
    /// What a handler's `&mut` parameter can be: a connection itself, or a transaction on it.
    pub trait Handle: Sized {
        /// What is kept.
        type Connection: Connect;

        /// What one invocation works with: a reference to it is the handler's argument.
        type Open<'c>: Finish + Send;

        /// Makes the handler's argument from a kept connection.
        ///
        /// # Errors
        ///
        /// [`Error::Transaction`] if a transaction could not be begun.
        fn open(
            connection: &mut Self::Connection,
        ) -> impl Future<Output = Result<Self::Open<'_>, Error>> + Send;
    }
}

/// How what was opened for one invocation ends, before the response is returned.
pub trait Finish {
    /// Ends it as the handler's outcome says. Awaits only what the response depends on: a COMMIT.
    ///
    /// # Errors
    ///
    /// [`Error::Transaction`] if a transaction could not be committed.
    fn finish(self, outcome: Outcome) -> impl Future<Output = Result<(), Error>> + Send;
}

#[diagnostic::do_not_recommend]
impl<C: Connect> Handle for C {
    type Connection = C;
    type Open<'c> = &'c mut C;

    fn open(connection: &mut C) -> impl Future<Output = Result<&mut C, Error>> + Send {
        std::future::ready(Ok(connection))
    }
}

#[diagnostic::do_not_recommend]
impl<C: Connect> Finish for &mut C {
    fn finish(self, _: Outcome) -> impl Future<Output = Result<(), Error>> + Send {
        std::future::ready(Ok(()))
    }
}
