#![deny(warnings)]

use std::convert::Infallible;

use lambda_http::{Body, Error, Request, Response, Service as _, service_fn};
use reuse_db::{Source, reuse_db};
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

const MEMORY: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:");

#[reuse_db(source = MEMORY)]
async fn exclusive(_req: Request, db: &mut SqliteConnection) -> Result<Response<Body>, Error> {
    let seven: i64 = sqlx::query_scalar("select 7").fetch_one(&mut *db).await?;
    Ok(Response::new(seven.to_string().into()))
}

#[reuse_db(source = MEMORY)]
async fn transaction(_req: Request, tx: &mut Transaction<'_, Sqlite>) -> Result<Response<Body>, Error> {
    let seven: i64 = sqlx::query_scalar("select 7").fetch_one(&mut **tx).await?;
    Ok(Response::new(seven.to_string().into()))
}

#[reuse_db(source = MEMORY)]
async fn route(pool: &SqlitePool) -> axum::http::Response<String> {
    let seven: Result<i64, _> = sqlx::query_scalar("select 7").fetch_one(pool).await;
    axum::http::Response::new(seven.unwrap_or_default().to_string())
}

fn is_service<S>(_: &S)
where
    S: lambda_http::Service<Request, Response = Response<Body>, Error = Error> + Clone + Send + 'static,
    S::Future: Send,
{
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut service = service_fn(exclusive);
    is_service(&service);
    is_service(&service_fn(transaction));
    let response = tokio::spawn(service.call(Request::default())).await??;
    assert_eq!(response.body().as_ref(), b"7");
    tokio::spawn(transaction(Request::default())).await??;
    let mut router: axum::Router = axum::Router::new().route("/", axum::routing::get(route));
    let call = router.call(axum::http::Request::new(axum::body::Body::empty()));
    let response: Result<_, Infallible> = call.await;
    assert!(response.is_ok_and(|response| response.status() == 200));
    Ok(())
}
