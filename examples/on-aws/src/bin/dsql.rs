//! Counts visits in Aurora DSQL. The function signs in by IAM.
//!
//! `dsql.yaml` deploys it. The table is in `schema.sql`.

use lambda_http::{Body, Error, Request, Response, service_fn, tracing};
use reuse_db::{Source, reuse_db};
use sqlx::PgConnection;

/// `DATABASE_URL=postgres://app@abc.dsql.eu-central-1.on.aws`
const SHOP: Source = Source::env("DATABASE_URL").dsql();

/// DSQL takes no locks. If two invocations write one row at once, one of them gets this code.
const CONFLICT: &str = "40001";

#[reuse_db(source = SHOP)]
async fn visit(_request: Request, db: &mut PgConnection) -> Result<Response<Body>, Error> {
    let mut tries = 0;
    let visits = loop {
        match count(db).await {
            Err(sqlx::Error::Database(error))
                if error.code().as_deref() == Some(CONFLICT) && tries < 5 =>
            {
                tries += 1;
            }
            result => break result?,
        }
    };
    Ok(Response::new(format!("{visits}\n").into()))
}

async fn count(db: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "insert into visits (path, count) values ($1, 1)
         on conflict (path) do update set count = visits.count + 1
         returning count",
    )
    .bind("/")
    .fetch_one(db)
    .await
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    reuse_db::run(service_fn(visit)).await
}
