//! A handler that calls another handler, with connections and with transactions.

use lambda_http::{Error, Request, Response, service_fn};
use reuse_db::reuse_db;
use sqlx::{PgConnection, Postgres, Transaction};

const SESSION: &str = "select pg_backend_pid()::int8";

#[reuse_db]
async fn inner(db: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(SESSION).fetch_one(db).await
}

#[reuse_db]
async fn outer(db: &mut PgConnection) -> Result<[i64; 2], sqlx::Error> {
    let before: i64 = sqlx::query_scalar(SESSION).fetch_one(&mut *db).await?;
    Ok([before, inner().await?])
}

#[reuse_db]
async fn write(tx: &mut Transaction<'_, Postgres>) -> Result<i64, sqlx::Error> {
    sqlx::query("insert into notes values ('inner')")
        .execute(&mut **tx)
        .await?;
    inner_with(tx).await
}

/// Answers a client error, so that its own transaction is rolled back. The inner one is committed.
#[reuse_db]
async fn write_around(tx: &mut Transaction<'_, Postgres>) -> Result<Response<String>, Error> {
    let sessions = [write_with(tx).await?, write().await?];
    answer(409, sessions)
}

fn answer(status: u16, sessions: [i64; 2]) -> Result<Response<String>, Error> {
    let body = serde_json::to_string(&sessions)?;
    Ok(Response::builder().status(status).body(body)?)
}

async fn route(request: Request) -> Result<Response<String>, Error> {
    match request.uri().path() {
        "/read" => answer(200, outer().await?),
        _ => write_around().await,
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    reuse_db::run(service_fn(route)).await
}
