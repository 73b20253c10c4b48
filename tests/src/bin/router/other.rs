//! Handlers with other parameters and results.

use axum::Extension;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use reuse_db::reuse_db;
use sqlx::PgConnection;

use crate::{DATABASE, Failure};

#[reuse_db(source = DATABASE)]
pub(crate) async fn request(request: Request, db: &mut PgConnection) -> Result<String, Failure> {
    let path = sqlx::query_scalar("select upper($1)").bind(request.uri().path());
    Ok(path.fetch_one(db).await?)
}

#[reuse_db(source = DATABASE)]
pub(crate) async fn response(db: &mut PgConnection) -> Response {
    let body: Result<String, _> = sqlx::query_scalar("select 'a body'").fetch_one(db).await;
    let mut response = Response::new(Body::from(body.unwrap_or_default()));
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

#[reuse_db(source = DATABASE)]
pub(crate) async fn opaque(db: &mut PgConnection) -> Result<impl IntoResponse + use<>, Failure> {
    let body: String = sqlx::query_scalar("select 'opaque'").fetch_one(db).await?;
    Ok([("x-body", body)])
}

#[reuse_db(source = DATABASE)]
pub(crate) async fn extension(
    Extension(n): Extension<i64>,
    db: &mut PgConnection,
) -> Result<String, Failure> {
    Ok(sqlx::query_scalar("select repeat('a', $1::int8::int4)")
        .bind(n)
        .fetch_one(db)
        .await?)
}
