//! The clients that can be kept: those of sqlx, redis-rs, tokio-postgres and diesel-async.

#[cfg_attr(
    not(any(feature = "_sqlx", feature = "_tls", feature = "diesel-async-mysql")),
    allow(dead_code, reason = "for clients with TLS")
)]
mod certificate;
#[cfg(feature = "_database")]
mod database_url;
#[cfg(feature = "_diesel")]
mod diesel_async;
#[cfg(feature = "_database")]
#[cfg_attr(not(feature = "_transaction"), allow(dead_code, reason = "for others"))]
mod driver_error;
#[cfg(any(feature = "_postgres", feature = "_mysql", feature = "redis"))]
mod encryption;
mod failure;
#[cfg(any(feature = "_postgres", feature = "_mysql"))]
mod idle_limits;
#[cfg_attr(not(feature = "_database"), allow(dead_code, reason = "for databases"))]
mod io_error;
#[cfg(feature = "_stream")]
mod io_task;
#[cfg(any(feature = "_postgres", feature = "_mysql"))]
mod late_limits;
#[cfg(feature = "_database")]
#[cfg_attr(not(feature = "_transaction"), allow(dead_code, reason = "for others"))]
mod load;
#[cfg(feature = "_mysql")]
#[cfg_attr(not(feature = "mysql"), allow(dead_code, reason = "for sqlx"))]
mod mysql;
#[cfg(any(feature = "_sqlx", feature = "_mysql"))]
#[cfg_attr(not(feature = "_sqlx"), allow(dead_code, reason = "for sqlx"))]
mod mysql_number;
#[cfg(any(feature = "_sqlx", feature = "_tls", feature = "diesel-async-mysql"))]
mod named_file;
#[cfg(feature = "_postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "_transaction")]
mod sqlstate;
#[cfg(feature = "_sqlx")]
pub(crate) mod sqlx;
#[cfg(feature = "_stream")]
mod stream;
#[cfg(feature = "_database")]
#[cfg_attr(
    not(feature = "_postgres"),
    allow(dead_code, reason = "for PostgreSQL")
)]
mod target;
#[cfg(feature = "_tls")]
mod tls;
#[cfg(feature = "tokio-postgres")]
mod tokio_postgres;
#[cfg(feature = "_transaction")]
mod transaction;

pub(crate) use failure::outcome;

use lambda_http::BoxFuture;

/// Boxes a future in a method that is not generic. rustc compiles such a future with this crate,
/// and that of an `async fn` in the crate of each user.
fn boxed<'a, T>(future: impl Future<Output = T> + Send + 'a) -> BoxFuture<'a, T> {
    Box::pin(future)
}
