//! A function with many sandboxes, on a server with few connections.
//!
//! The path selects the way to a connection. The parameter `ms` is the time of the statement.
//! The response contains the counters of the process.

mod by_hand;
mod forms;

use lambda_http::{Body, Error, Request, Response, service_fn};
use reuse_db_tests::query::number;
use serde_json::json;

async fn route(request: Request) -> Result<Response<Body>, Error> {
    let url = std::env::var("DATABASE_URL")?;
    let seconds = number(&request, "ms") as f64 / 1_000.0;
    match (request.uri().path(), url.starts_with("mysql")) {
        ("/nothing", _) => {}
        ("/each" | "/static", false) => by_hand::postgres::route(&request, &url, seconds).await?,
        ("/each" | "/static", true) => by_hand::mysql::route(&request, &url, seconds).await?,
        (_, false) => forms::postgres::route(&request, seconds).await?,
        (_, true) => forms::mysql::route(&request, seconds).await?,
    }
    let stats = reuse_db::stats();
    let counters = json!({
        "opened": stats.opened + by_hand::opened(),
        "checked": stats.checked,
        "inspected": stats.inspected,
        "load_queries": stats.load_queries,
        "shed": stats.shed,
        "retried": stats.retried,
        "unavailable": stats.unavailable,
    });
    Ok(Response::new(counters.to_string().into()))
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    if std::env::var_os("BY_HAND").is_some() {
        lambda_http::run(service_fn(route)).await
    } else {
        reuse_db::run(service_fn(route)).await
    }
}
