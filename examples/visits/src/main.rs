//! Counts visits, over one kept connection.
//!
//! `cargo run -p visits`, then `curl localhost:3000`. The scheme of `DATABASE_URL` selects
//! SQLite, PostgreSQL or MySQL. The default is the file `visits.db` in the working directory.

use lambda_http::{Body, Error, Request, Response, service_fn};
use reuse_db::{Source, reuse_db};
use serde::Serialize;
use sqlx::AnyConnection;

const DATABASE: Source = Source::env("DATABASE_URL")
    .or("sqlite://visits.db?mode=rwc")
    .on_connect("create table if not exists visits (path text not null)");

#[derive(Serialize)]
struct Answer {
    visits: i64,
    connection: Connection,
}

/// The numbers of connections that the handler opened and reused so far.
#[derive(Serialize)]
struct Connection {
    opened: u64,
    reused: u64,
}

#[reuse_db(source = DATABASE)]
async fn visit(_request: Request, db: &mut AnyConnection) -> Result<Response<Body>, Error> {
    sqlx::query("insert into visits (path) values ('/')")
        .execute(&mut *db)
        .await?;
    let visits = sqlx::query_scalar("select count(*) from visits")
        .fetch_one(&mut *db)
        .await?;

    let stats = VISIT_DB.stats();
    let connection = Connection {
        opened: stats.opened,
        reused: stats.reused,
    };
    let answer = serde_json::to_string(&Answer { visits, connection })?;
    Ok(Response::builder()
        .header("content-type", "application/json")
        .body(answer.into())?)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    reuse_db::run(service_fn(visit)).await
}
