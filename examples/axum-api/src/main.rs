//! A JSON API for notes: an axum `Router` of several handlers, which share one kept connection.
//!
//! `DATABASE_URL=postgres://… cargo run -p axum-api`, then `curl localhost:3000/notes`. The table
//! is in `schema.sql`.

mod failure;
mod notes;

use axum::Router;
use axum::routing::{get, post};
use lambda_http::{Error, tracing};

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let router = Router::new()
        .route("/notes", get(notes::list).post(notes::add))
        .route("/notes/{id}", get(notes::read).delete(notes::remove))
        .route("/notes/{id}/copies", post(notes::copy));
    reuse_db::run(router).await
}
