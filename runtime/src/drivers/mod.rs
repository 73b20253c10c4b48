//! The clients that can be kept: those of sqlx, and redis-rs.

mod failure;
#[cfg(feature = "redis")]
mod io_task;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "_sqlx")]
pub(crate) mod sqlx;

pub(crate) use failure::outcome;

use lambda_http::BoxFuture;

/// Boxes a future in a method that is not generic. rustc compiles such a future with this crate,
/// and that of an `async fn` in the crate of each user.
fn boxed<'a, T>(future: impl Future<Output = T> + Send + 'a) -> BoxFuture<'a, T> {
    Box::pin(future)
}
