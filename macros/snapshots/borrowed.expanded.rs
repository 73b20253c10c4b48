//! A borrowed pool.
use lambda_http::Response;
use sqlx::PgPool;
/// The kept database of [`health`](fn@health).
pub static HEALTH_POOL: ::reuse_db::Shared<PgPool> = ::reuse_db::Shared::of_handler(
    ::reuse_db::Source::env("READER_URL"),
    ::core::module_path!(),
    "health",
);
/// Asks the server.
pub async fn health() -> Response<String> {
    let lease = match ::reuse_db::__private::lease_shared(&HEALTH_POOL).await {
        ::core::result::Result::Ok(lease) => lease,
        ::core::result::Result::Err(error) => {
            return ::reuse_db::FromError::from_error(error);
        }
    };
    let output = health_with(::reuse_db::SharedLease::get(&lease)).await;
    let outcome = ::reuse_db::__private::Judge::new(&output).__outcome();
    ::reuse_db::SharedLease::settle(lease, outcome);
    output
}
/// The body of [`health`](fn@health), for callers with a database of their own.
///
/// Asks the server.
pub async fn health_with(pool: &PgPool) -> Response<String> {
    match sqlx::query("select 1").execute(pool).await {
        Ok(_) => Response::new("ok".to_owned()),
        Err(error) => Response::new(error.to_string()),
    }
}
