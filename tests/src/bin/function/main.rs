//! The function under test: what a user would deploy, with a route for each thing that a handler
//! can do.
//!
//! `DATABASE_URL` picks PostgreSQL or MySQL by its scheme; `RUN` says how it is run: by
//! `reuse_db::run`, or `composed` of the same parts, with other settings of a `Runner` (`errors`,
//! `own-response`, `metrics`, `own-shutdown`), or by `lambda_http` alone. `INIT` says what it does
//! before: it may `warm` a connection, `lease` one, `fail` with one, or only `log` from then on.

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

/// For both databases.
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
        // Behind our back: it is in a snapshot, unless that is prevented.
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
        _ => reuse_db::run(handler).await,
    };
    println!("after the run: {result:?}");
    result
}
