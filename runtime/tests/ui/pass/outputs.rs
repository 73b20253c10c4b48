#![deny(warnings)]

use axum::response::IntoResponse;
use lambda_http::http::StatusCode;
use lambda_http::{Body, Response};
use reuse_db::{Source, reuse_db};
use sqlx::SqliteConnection;

const MEMORY: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:");
const NOWHERE: Source = Source::env("NO_SUCH_VARIABLE");

#[reuse_db(source = MEMORY)]
async fn opaque(db: &mut SqliteConnection) -> Result<impl IntoResponse + use<>, lambda_http::Error> {
    let name: String = sqlx::query_scalar("select 'opaque'").fetch_one(db).await?;
    Ok(name)
}

#[reuse_db(source = MEMORY)]
async fn captured(prefix: &str, db: &mut SqliteConnection) -> Result<impl IntoResponse, anyhow::Error> {
    let name: String = sqlx::query_scalar("select $1").bind(prefix).fetch_one(db).await?;
    Ok((StatusCode::CREATED, name))
}

#[reuse_db(source = NOWHERE)]
async fn response(_db: &mut SqliteConnection) -> Response<Body> {
    Response::new(Body::Empty)
}

#[reuse_db(source = NOWHERE)]
async fn refused(_db: &mut SqliteConnection) -> anyhow::Result<()> {
    Ok(())
}

enum Refused {
    Database,
    Id(i64),
}

impl From<reuse_db::Error> for Refused {
    fn from(_: reuse_db::Error) -> Self {
        Self::Database
    }
}

#[reuse_db(source = NOWHERE)]
async fn own_error(id: i64, _db: &mut SqliteConnection) -> Result<(), Refused> {
    Err(Refused::Id(id))
}

#[reuse_db(source = MEMORY)]
async fn never_ok(db: &mut SqliteConnection) -> Result<std::convert::Infallible, Refused> {
    let id = sqlx::query_scalar("select 7").fetch_one(db).await;
    Err(Refused::Id(id.unwrap_or_default()))
}

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    assert_eq!(opaque().await?.into_response().status(), 200);
    assert_eq!(captured("a").await?.into_response().status(), 201);
    assert_eq!(response().await.status(), 503);
    assert!(refused().await.is_err());
    assert!(matches!(own_error(7).await, Err(Refused::Database)));
    assert!(matches!(never_ok().await, Err(Refused::Id(7))));
    Ok(())
}
