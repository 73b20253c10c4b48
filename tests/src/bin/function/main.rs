//! The function under test, as a user would deploy it, with a route for each kind of handler.
//!
//! | variable | selects |
//! |---|---|
//! | `DATABASE_URL` | PostgreSQL or MySQL, by its scheme |
//! | `RUN` | the runtime: `reuse_db::run` by default; `composed` of the public parts; a `Runner` with settings (`errors`, `own-response`, `metrics`, `own-shutdown`); `own-flush` for a graceful shutdown beside `reuse_db::run`; or `lambda_http` |
//! | `INIT` | the work in the initialization: `warm` a connection, `lease` one, `fail` with one, or `log` to stdout |

mod answer;
mod handlers;

use std::sync::Arc;

use handlers::{mysql, postgres};
use lambda_http::tower::ServiceBuilder;
use lambda_http::{Body, Error, Request, Response, service_fn};
use lambda_runtime::layers::TracingLayer;
use reuse_db::{
    AfterResponse, Lease, Outcome, Runner, ServiceUnavailable, SnapStart, Source, reuse_db,
    until_shutdown,
};
use sqlx::AnyConnection;

const WRITER: Source = Source::env("DATABASE_URL").read_write();

/// Writes to either database.
#[reuse_db(source = WRITER)]
async fn write_to_any(db: &mut AnyConnection) -> Result<Response<Body>, Error> {
    sqlx::query("insert into notes (text) values ('written')")
        .execute(db)
        .await?;
    answer::answer(200, 0, 0)
}

async fn route(request: Request) -> Result<Response<Body>, Error> {
    if request.uri().path() == "/write-to-any" {
        return write_to_any().await;
    }
    match std::env::var("DATABASE_URL") {
        Ok(url) if url.starts_with("mysql") => mysql::route(request).await,
        _ => postgres::route(request).await,
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    match std::env::var("INIT").as_deref() {
        Ok("warm") => {
            lambda_http::tracing::init_default_subscriber();
            postgres::ADD_DB.warm().await;
            postgres::OWN_POOL_POOL.warm().await;
        }
        Ok("log") => lambda_http::tracing::init_default_subscriber(),
        // A snapshot would contain this connection if nothing closed it.
        Ok("lease") => drop(postgres::ADD_DB.lease().await?),
        Ok("fail") => {
            let mut lease = postgres::ADD_DB.lease().await?;
            Lease::open(&mut lease).await?;
            Lease::settle(lease, Outcome::Failure);
        }
        _ => {}
    }
    let handler = service_fn(route);
    let result = match std::env::var("RUN").as_deref() {
        Ok("lambda_http") => lambda_http::run(handler).await,
        Ok("composed") => {
            let service = ServiceBuilder::new()
                .layer(ServiceUnavailable::new())
                .service(handler);
            let runtime = lambda_http::runtime_concurrent(service)
                .layer(TracingLayer::new())
                .layer(AfterResponse::new())
                .register_snapstart_resource(Arc::new(SnapStart));
            until_shutdown(runtime.run_concurrent()).await
        }
        Ok("errors") => {
            Runner::new()
                .without_service_unavailable()
                .run(handler)
                .await
        }
        Ok("own-response") => {
            let response = |error: &reuse_db::Error| {
                let mut response = Response::new(format!("{:?}: {error}", error.kind()));
                *response.status_mut() = lambda_http::http::StatusCode::TOO_MANY_REQUESTS;
                response
            };
            Runner::new()
                .service_unavailable(response)
                .run(handler)
                .await
        }
        Ok("metrics") => {
            let after = AfterResponse::new().embedded_metrics("bench");
            Runner::new().after_response(after).run(handler).await
        }
        Ok("own-shutdown") => {
            lambda_runtime::spawn_graceful_shutdown_handler(reuse_db::shutdown).await;
            Runner::new().without_shutdown().run(handler).await
        }
        Ok("own-flush") => {
            let flush = || async {
                tokio::time::sleep(std::time::Duration::from_millis(300)).await;
                println!("the user's own data is flushed");
            };
            lambda_runtime::spawn_graceful_shutdown_handler(flush).await;
            reuse_db::run(handler).await
        }
        _ => reuse_db::run(handler).await,
    };
    println!("after the run: {result:?}");
    result
}
