//! The work of PostgreSQL's drivers that is SQL: limits, health checks, resets and the load query.

mod health;
mod limits;
mod load;
pub(in crate::drivers) mod start_up;

pub(in crate::drivers) use self::health::{check, inspect, reset};
pub(in crate::drivers) use self::load::server_load;

use super::driver_error::DriverError;
use crate::environment;
use crate::error::Error;
use crate::source::Source;

/// A session, as this folder uses it.
pub(in crate::drivers) trait PgSession: Send {
    /// The SQL with which the client itself sets its sessions up.
    const SET_UP: &'static str = "";

    /// The error of the client.
    type Error: DriverError + From<Error>;

    /// Runs SQL without preparing it, in one round trip. Returns the first column of each row,
    /// which is text, and leaves NULL out.
    fn texts(
        &mut self,
        sql: String,
    ) -> impl Future<Output = Result<Vec<String>, Self::Error>> + Send;

    /// Runs SQL outside a transaction, and ends an open one first. Returns `true` if there was one.
    fn outside_transaction(
        &mut self,
        sql: &str,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// Finds out whether the sessions behind a pooler know prepared statements by the names that
    /// clients gave them. If the pooler renames them, they are safe.
    fn detect_passed_names(
        &mut self,
        source: &Source,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// Makes the client forget the statements that it has prepared in a shared session.
    fn forget_passed_names(
        &mut self,
        source: &Source,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Begins a transaction, and fails with 25001 if one is open that has run a statement. A BEGIN
/// without this option would go on with it, and COMMIT would commit what a handler has left behind.
/// The option changes nothing but a `default_transaction_deferrable`.
#[cfg(feature = "postgres")]
pub(in crate::drivers) const BEGIN: &str = "begin not deferrable";

/// Returns a session's name: that of the environment, as for libpq, or one of this crate.
pub(in crate::drivers) fn session_name() -> Option<String> {
    std::env::var("PGAPPNAME")
        .ok()
        .or_else(environment::session_name)
}
