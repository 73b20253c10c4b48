//! The handler of `with_static_pool`, with the attribute.

use lambda_http::{Body, Error, Request, Response, service_fn};
use reuse_db::reuse_db;
use sqlx::{MySqlConnection, PgConnection};

#[reuse_db]
async fn postgres(_request: Request, db: &mut PgConnection) -> Result<Response<Body>, Error> {
    let sum: i64 = sqlx::query_scalar("select $1 + 1")
        .bind(1_i64)
        .fetch_one(db)
        .await?;
    Ok(Response::new(sum.to_string().into()))
}

#[reuse_db]
async fn mysql(_request: Request, db: &mut MySqlConnection) -> Result<Response<Body>, Error> {
    let sum: i64 = sqlx::query_scalar("select cast(? + 1 as signed)")
        .bind(1)
        .fetch_one(db)
        .await?;
    Ok(Response::new(sum.to_string().into()))
}

async fn handler(request: Request) -> Result<Response<Body>, Error> {
    if std::env::var("DATABASE_URL")?.starts_with("mysql") {
        mysql(request).await
    } else {
        postgres(request).await
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    reuse_db::run(service_fn(handler)).await
}
