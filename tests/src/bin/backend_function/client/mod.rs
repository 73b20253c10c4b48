//! The work of the function with each client.

mod diesel_async;
mod redis;
mod sea_orm;
mod sqlx;
mod tokio_postgres;

use lambda_http::Error;

/// A client of any kind.
pub(crate) trait Client: Send {
    /// Returns `n` plus one, and the number of the session, in one round trip.
    fn add(&mut self, n: i64) -> impl Future<Output = Result<(i64, i64), Error>> + Send;
    /// Runs a statement of a minute.
    fn block(&mut self) -> impl Future<Output = Result<(), Error>> + Send;
    /// Changes the session, and begins a transaction with a write.
    fn change(&mut self) -> impl Future<Output = Result<(), Error>> + Send;
    /// Runs a statement that the server rejects.
    fn reject(&mut self) -> impl Future<Output = Result<(), Error>> + Send;
    /// Runs a statement in a transaction.
    fn transact(&mut self) -> impl Future<Output = Result<(), Error>> + Send;
    /// Closes the client, if that is a pool.
    fn close(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
    /// Returns `clean` if nothing of a change is seen.
    fn state(&mut self) -> impl Future<Output = Result<String, Error>> + Send;
}

fn state(session: &str, writes: i64) -> String {
    match (session, writes) {
        ("", 0) => "clean".to_owned(),
        _ => format!("session {session:?}, {writes} writes"),
    }
}

const PG_ADD: &str = "select $1::int8 + 1, pg_backend_pid()::int8";
const PG_BLOCK: &str = "select pg_sleep(60)";
const PG_CHANGE: &str = "set application_name = 'changed'";
const PG_STATE: &str = "select case when current_setting('application_name') = 'changed' \
    then 'changed' else '' end, (select count(*) from notes)";

const MYSQL_ADD: &str = "select cast(? + 1 as signed), cast(connection_id() as signed)";
const MYSQL_BLOCK: &str = "select sleep(60)";
const MYSQL_CHANGE: &str = "set @changed = 'changed'";
const MYSQL_STATE: &str =
    "select cast(coalesce(@changed, '') as char), (select count(*) from notes)";

const REJECTED: &str = "select nothing from notes";
const WRITE: &str = "insert into notes (text) values ('begun')";
