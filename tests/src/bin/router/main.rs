//! A `Router` of twenty handlers. Each has its own static, and all have an equal source.

mod other;
mod read;
mod write;

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, post, put};
use axum::{Extension, Router};
use lambda_http::Error;
use reuse_db::Source;

/// An error that the client gets as text.
#[derive(Debug)]
struct Failure(Error);

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.0.to_string()).into_response()
    }
}

#[derive(Clone)]
struct Greeting(&'static str);

/// Connections are always trusted: the test counts round trips, and on a busy machine a freeze may
/// last for longer than a second.
const DATABASE: Source = Source::env("DATABASE_URL").verify_after(Duration::MAX);

#[tokio::main]
async fn main() -> Result<(), Error> {
    let router = Router::new()
        .route("/one", get(read::one))
        .route("/two", get(read::two))
        .route("/count", get(read::count))
        .route("/last", get(read::last))
        .route("/sum/{a}/{b}", get(read::sum))
        .route("/search", get(read::search))
        .route("/greet/{name}", get(read::greet))
        .route("/agent", get(read::agent))
        .route("/method", any(read::method))
        .route("/missing", get(read::missing))
        .route("/notes", post(write::add))
        .route("/notes/json", post(write::add_all))
        .route("/notes/{text}", put(write::replace))
        .route("/notes/{text}/end", delete(write::remove))
        .route("/conflict", post(write::conflict))
        .route("/failure", post(write::failure))
        .route("/request", get(other::request))
        .route("/response", get(other::response))
        .route("/opaque", get(other::opaque))
        .route("/extension", get(other::extension))
        .layer(Extension(7_i64))
        .with_state(Greeting("hello, "));
    reuse_db::run(router).await
}
