//! A connection.

use lambda_http::{Body, Error, Request, Response};
use reuse_db::reuse_db;
use sqlx::PgConnection;

/// How many users there are.
///
/// # Errors
///
/// Those of the database.
#[reuse_db]
pub async fn handler(request: Request, db: &mut PgConnection) -> Result<Response<Body>, Error> {
    let users: i64 = sqlx::query_scalar("select count(*) from users")
        .fetch_one(&mut *db)
        .await?;
    let text = format!("{} {users}", request.uri());
    Ok(Response::new(text.into()))
}
