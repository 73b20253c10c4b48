//! `AsyncPgConnection`, on a session that this crate follows.

use diesel::connection::{CacheSize, get_default_instrumentation};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use tokio_postgres::Client;

use crate::connect::{Finish, FromConnection};
use crate::drivers::tokio_postgres::{PgClient, PgSessionOf, Stale};
use crate::error::Error;
use crate::response::Outcome;
use crate::source::Source;

impl PgClient for AsyncPgConnection {
    const SET_UP: &'static str = "set time zone 'UTC'; set client_encoding to 'UTF8'";

    const HIDES_CODES: bool = true;

    async fn adopt(client: Client) -> Result<Self, Error> {
        let adopted = Self::try_from(client).await;
        adopted.map_err(|error| Error::unavailable(format!("the set-up of diesel-async: {error}")))
    }

    fn reset(&mut self) {
        self.set_prepared_statement_cache_size(CacheSize::Unbounded);
        self.set_instrumentation(get_default_instrumentation());
    }

    /// Drops diesel's statements, which closes them. Its types cannot be dropped.
    fn forget(&mut self, stale: Stale) -> bool {
        self.set_prepared_statement_cache_size(CacheSize::Disabled);
        self.set_prepared_statement_cache_size(CacheSize::Unbounded);
        stale == Stale::Statements
    }
}

/// A handler that takes `&mut AsyncPgConnection` gets the connection of a session that is kept.
#[diagnostic::do_not_recommend]
impl FromConnection for AsyncPgConnection {
    type Connection = PgSessionOf<Self>;
    type Open<'c> = &'c mut Self;

    const NEEDS_OWN_SESSION: bool = true;

    async fn open<'c>(
        connection: &'c mut PgSessionOf<Self>,
        _: &Source,
    ) -> Result<&'c mut Self, Error> {
        let connection = connection.client();
        // The session has no transaction. diesel may still count one that was cancelled.
        *AsyncConnection::transaction_state(connection) = Default::default();
        Ok(connection)
    }
}

#[diagnostic::do_not_recommend]
impl Finish for &mut AsyncPgConnection {
    async fn finish(self, _: Outcome) -> Result<(), Error> {
        Ok(())
    }
}
