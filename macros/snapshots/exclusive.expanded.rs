//! A connection.
use lambda_http::{Body, Error, Request, Response};
use sqlx::PgConnection;
/// The kept connections of [`handler`](fn@handler).
pub static HANDLER_DB: ::reuse_db::Exclusive<PgConnection> = ::reuse_db::Exclusive::of_handler(
    ::reuse_db::Source::env("DATABASE_URL"),
    ::core::module_path!(),
    "handler",
);
/// Counts the users.
///
/// # Errors
///
/// Returns the database's errors.
pub async fn handler(request: Request) -> Result<Response<Body>, Error> {
    let mut lease = ::core::option::Option::None;
    let mut open = match ::reuse_db::__private::open(&HANDLER_DB, &mut lease).await {
        ::core::result::Result::Ok(open) => open,
        ::core::result::Result::Err(error) => {
            return ::reuse_db::FromError::from_error(error);
        }
    };
    let output = handler_with(request, &mut open).await;
    let outcome = ::reuse_db::__private::Judge::new(&output).__outcome();
    if let ::core::result::Result::Err(error) = ::reuse_db::Finish::finish(open, outcome)
        .await
    {
        ::reuse_db::__private::settle_unfinished(lease, &error);
        return ::reuse_db::FromError::from_error(error);
    }
    ::reuse_db::__private::settle(lease, outcome);
    output
}
/// The body of [`handler`](fn@handler), for callers with a database of their own.
///
/// Counts the users.
///
/// # Errors
///
/// Returns the database's errors.
pub async fn handler_with(
    request: Request,
    db: &mut PgConnection,
) -> Result<Response<Body>, Error> {
    let users: i64 = sqlx::query_scalar("select count(*) from users")
        .fetch_one(&mut *db)
        .await?;
    let text = format!("{} {users}", request.uri());
    Ok(Response::new(text.into()))
}
