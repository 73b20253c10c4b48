//! Counts visits in Aurora PostgreSQL. The function signs in by IAM.
//!
//! `iam.yaml` deploys it. The table is in `schema.sql`.

use lambda_http::{Body, Error, Request, Response, service_fn, tracing};
use reuse_db::{Source, reuse_db};
use sqlx::PgConnection;

/// `DATABASE_URL=postgres://app@shop.cluster-abc.eu-central-1.rds.amazonaws.com/shop`
const SHOP: Source = Source::env("DATABASE_URL").rds_iam();

#[reuse_db(source = SHOP)]
async fn visit(_request: Request, db: &mut PgConnection) -> Result<Response<Body>, Error> {
    let visits: i64 = sqlx::query_scalar(
        "insert into visits (path, count) values ($1, 1)
         on conflict (path) do update set count = visits.count + 1
         returning count",
    )
    .bind("/")
    .fetch_one(db)
    .await?;
    Ok(Response::new(format!("{visits}\n").into()))
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    reuse_db::run(service_fn(visit)).await
}
