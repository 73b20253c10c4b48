//! Streams a large table as CSV in flat memory, over a pool (`/pool`) or over a connection of its
//! own that moves into the body (`/connection`).
//!
//! `DATABASE_URL=postgres://… cargo run -p export`, then `curl localhost:3000/connection`. The
//! table is in `schema.sql`.

mod csv_body;

use async_stream::try_stream;
use csv_body::{CsvBody, csv_body};
use lambda_http::http::StatusCode;
use lambda_http::{Error, Request, Response, service_fn, tracing};
use reuse_db::{Lease, Outcome, Source, reuse_db};
use sqlx::{PgConnection, PgPool};
use tokio_stream::{Stream, StreamExt as _};

type Reading = (i64, String, f64);

const READINGS: &str = "select id, sensor, value from readings";

/// A single connection serves one response at a time.
const POOL: Source = Source::env("DATABASE_URL").max_connections(1);

/// Streams over a clone of the pool, which lends a connection until the end of the stream.
#[reuse_db(source = POOL)]
async fn over_a_pool(_request: Request, pool: PgPool) -> Result<Response<CsvBody>, Error> {
    Ok(csv(try_stream! {
        let mut readings = sqlx::query_as(READINGS).fetch(&pool);
        while let Some(reading) = readings.try_next().await? {
            yield reading;
        }
    }))
}

/// Streams over a leased connection, which the stream settles at its end. If the stream fails or
/// its client disconnects, the connection is closed.
#[reuse_db]
async fn over_a_connection(
    _request: Request,
    mut db: Lease<PgConnection>,
) -> Result<Response<CsvBody>, Error> {
    Ok(csv(try_stream! {
        let connection = Lease::open(&mut db).await?;
        let mut readings = sqlx::query_as(READINGS).fetch(connection);
        while let Some(reading) = readings.try_next().await? {
            yield reading;
        }
        drop(readings);
        Lease::settle(db, Outcome::Success);
    }))
}

fn csv(readings: impl Stream<Item = Result<Reading, Error>> + Send + 'static) -> Response<CsvBody> {
    let rows = readings.map(|reading| {
        let (id, sensor, value) = reading?;
        Ok([id.to_string(), sensor, value.to_string()])
    });
    let mut response = Response::new(csv_body(["id", "sensor", "value"], rows));
    let headers = response.headers_mut();
    headers.insert("content-type", csv_body::CONTENT_TYPE);
    response
}

async fn route(request: Request) -> Result<Response<CsvBody>, Error> {
    match request.uri().path() {
        "/pool" => over_a_pool(request).await,
        "/connection" => over_a_connection(request).await,
        _ => {
            let mut response = Response::new(csv_body::nothing());
            *response.status_mut() = StatusCode::NOT_FOUND;
            Ok(response)
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    reuse_db::run_with_streaming_response(service_fn(route)).await
}
