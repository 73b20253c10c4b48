//! A function that streams rows from a pool by value, or from a `Lease` that moves into the body.
//!
//! The scheme of `DATABASE_URL` selects PostgreSQL or MySQL. `RUN=composed` selects a runtime that
//! is composed of the public parts of reuse-db.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use lambda_http::tower::ServiceBuilder;
use lambda_http::{Error, Request, Response, service_fn};
use lambda_runtime::layers::TracingLayer;
use reuse_db::{AfterResponse, Runner, ServiceUnavailable, SnapStart, Streaming, until_shutdown};
use reuse_db_tests::query::number;
use serde_json::json;
use tokio::time::sleep;
use tokio_stream::{Stream, StreamExt as _};

type Rows = UnsyncBoxBody<Bytes, Error>;

/// The longest wait for the end of an abandoned query before the freeze. The default may be too
/// short for a busy machine, which then freezes the function in the middle of the query.
const AFTER_RESPONSE: Duration = Duration::from_secs(8);

/// The smallest size of a chunk in bytes. A chunk per row would cost more than the row.
const CHUNK: usize = 8 * 1024;

/// Defines the handlers for a database. The databases differ in SQL only.
macro_rules! handlers {
    (
        $module:ident, $database:ident, $connection:ident,
        rows: $rows:literal, session: $session:literal
    ) => {
        mod $module {
            use lambda_http::{Error, Request, Response};
            use reuse_db::{Lease, Outcome, Source, reuse_db};
            use reuse_db_tests::query::{number, word};
            use sqlx::{Pool, $connection, $database};
            use tokio_stream::StreamExt as _;

            use super::{AFTER_RESPONSE, Rows, stats, streamed};

            const POOL: Source = Source::env("DATABASE_URL")
                .max_connections(1)
                .check_timeout(AFTER_RESPONSE);

            #[reuse_db(source = POOL)]
            async fn pool(
                request: Request,
                pool: Pool<$database>,
            ) -> Result<Response<Rows>, Error> {
                let sql = sqlx::query_scalar::<_, i64>($rows).bind(number(&request, "rows"));
                // The pool moves into the stream, which outlives the handler.
                let rows = async_stream::stream! {
                    let mut rows = sql.fetch(&pool);
                    while let Some(row) = rows.next().await {
                        yield row.map_err(Error::from);
                    }
                };
                Ok(streamed(&request, rows))
            }

            #[reuse_db]
            async fn lease(
                request: Request,
                mut db: Lease<$connection>,
            ) -> Result<Response<Rows>, Error> {
                let sql = sqlx::query_scalar::<_, i64>($rows).bind(number(&request, "rows"));
                let rows = async_stream::stream! {
                    let outcome = match Lease::open(&mut db).await {
                        Ok(connection) => {
                            let mut outcome = Outcome::Success;
                            let mut rows = sql.fetch(connection);
                            while let Some(row) = rows.next().await {
                                if row.is_err() {
                                    outcome = Outcome::Failure;
                                }
                                yield row.map_err(Error::from);
                            }
                            outcome
                        }
                        Err(error) => {
                            yield Err(error.into());
                            Outcome::Failure
                        }
                    };
                    Lease::settle(db, outcome);
                };
                Ok(streamed(&request, rows))
            }

            #[reuse_db]
            async fn session(db: &mut $connection) -> Result<Response<Rows>, Error> {
                let session: i64 = sqlx::query_scalar($session).fetch_one(db).await?;
                stats(session)
            }

            pub(super) async fn route(request: Request) -> Result<Response<Rows>, Error> {
                match word(&request, "over").as_str() {
                    "pool" => pool(request).await,
                    "lease" => lease(request).await,
                    _ => session().await,
                }
            }
        }
    };
}

handlers! {
    postgres, Postgres, PgConnection,
    rows: "select generate_series(1::bigint, $1)",
    session: "select pg_backend_pid()::bigint"
}

handlers! {
    mysql, MySql, MySqlConnection,
    // MariaDB reads only the first of the two special comments, and MySQL only the second.
    rows: "/*M! select cast(seq as signed) from seq_1_to_1000000 where seq <= ? *//*!80000 \
        with recursive numbers (seq) as (select 1 union all select seq + 1 from numbers where seq < ?) \
        select /*+ set_var(cte_max_recursion_depth = 1000000) */ cast(seq as signed) from numbers */",
    session: "select cast(connection_id() as signed)"
}

/// Streams the rows as lines. The parameter `fail_at` is the row that fails, and `nap` the
/// milliseconds before each chunk.
fn streamed(
    request: &Request,
    rows: impl Stream<Item = Result<i64, Error>> + Send + 'static,
) -> Response<Rows> {
    let (fail_at, nap) = (number(request, "fail_at"), number(request, "nap"));
    let chunks = async_stream::stream! {
        let mut chunk = String::with_capacity(CHUNK + 32);
        let mut rows = std::pin::pin!(rows);
        while let Some(row) = rows.next().await {
            match row {
                Ok(row) if row == fail_at => {
                    yield Err(Error::from("the row fails"));
                    return;
                }
                Ok(row) => {
                    chunk.push_str(&row.to_string());
                    chunk.push('\n');
                }
                Err(error) => {
                    yield Err(error);
                    return;
                }
            }
            if chunk.len() >= CHUNK {
                sleep(Duration::from_millis(nap.try_into().unwrap_or(0))).await;
                let full = std::mem::replace(&mut chunk, String::with_capacity(CHUNK + 32));
                yield Ok(Frame::data(Bytes::from(full)));
            }
        }
        yield Ok(Frame::data(Bytes::from(chunk)));
    };
    Response::new(StreamBody::new(chunks).boxed_unsync())
}

fn stats(session: i64) -> Result<Response<Rows>, Error> {
    let stats = reuse_db::stats();
    let json = json!({
        "session": session, "opened": stats.opened, "checked": stats.checked,
        "stale": stats.stale, "discarded": stats.discarded,
    });
    let whole = Full::from(json.to_string()).map_err(|never| match never {});
    Ok(Response::new(whole.boxed_unsync()))
}

async fn route(request: Request) -> Result<Response<Rows>, Error> {
    match std::env::var("DATABASE_URL") {
        Ok(url) if url.starts_with("mysql") => mysql::route(request).await,
        _ => postgres::route(request).await,
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let handler = service_fn(route);
    let after = AfterResponse::new().limit(AFTER_RESPONSE);
    match std::env::var("RUN").as_deref() {
        Ok("composed") => {
            let service = ServiceBuilder::new()
                .layer(ServiceUnavailable::new())
                .layer(Streaming)
                .service(handler);
            let runtime = lambda_http::streaming_runtime_concurrent(service)
                .layer(TracingLayer::new())
                .layer(after)
                .register_snapstart_resource(Arc::new(SnapStart));
            until_shutdown(runtime.run_concurrent()).await
        }
        _ => {
            let runner = Runner::new().after_response(after);
            runner.run_with_streaming_response(handler).await
        }
    }
}
