//! A connection.

use lambda_http::{Body, Error, Request, Response};
use reuse_db::reuse_db;
use sqlx::PgConnection;

/// Counts the users.
///
/// # Errors
///
/// Returns the database's errors.
#[reuse_db]
pub async fn handler(request: Request, db: &mut PgConnection) -> Result<Response<Body>, Error> {
    let users: i64 = sqlx::query_scalar("select count(*) from users")
        .fetch_one(&mut *db)
        .await?;
    let text = format!("{} {users}", request.uri());
    Ok(Response::new(text.into()))
}
