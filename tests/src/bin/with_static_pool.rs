//! A function without reuse-db: `lambda_http::run`, and a pool in a static, as in tutorials.
//!
//! The scheme of `DATABASE_URL` selects PostgreSQL or MySQL.

use std::time::SystemTime;

use lambda_http::{Body, Error, Request, Response, service_fn};
use reuse_db_tests::start::response;
use sqlx::{MySqlPool, PgPool};
use tokio::sync::OnceCell;

static POSTGRES: OnceCell<PgPool> = OnceCell::const_new();
static MYSQL: OnceCell<MySqlPool> = OnceCell::const_new();

async fn handler(_request: Request) -> Result<Response<Body>, Error> {
    let began = SystemTime::now();
    let url = std::env::var("DATABASE_URL")?;
    let sum: i64 = if url.starts_with("mysql") {
        let pool = MYSQL.get_or_try_init(|| MySqlPool::connect(&url)).await?;
        sqlx::query_scalar("select cast(? + 1 as signed)")
            .bind(1)
            .fetch_one(pool)
            .await?
    } else {
        let pool = POSTGRES.get_or_try_init(|| PgPool::connect(&url)).await?;
        sqlx::query_scalar("select $1 + 1")
            .bind(1_i64)
            .fetch_one(pool)
            .await?
    };
    response(began, sum)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_http::run(service_fn(handler)).await
}
