//! A function with many sandboxes, on a server with few connections.

use lambda_http::{Body, Error, Request, Response, service_fn};
use serde_json::json;

/// Defines the handlers for a database. The databases differ in SQL only.
macro_rules! handlers {
    ($module:ident, $connection:ident, session: $session:literal) => {
        mod $module {
            use std::time::Duration;

            use reuse_db::{Source, reuse_db};
            use sqlx::$connection;

            /// Every limit of this source is a default.
            #[reuse_db]
            pub(super) async fn default(db: &mut $connection) -> Result<i64, sqlx::Error> {
                sqlx::query_scalar($session).fetch_one(db).await
            }

            const SHORT: Source =
                Source::env("DATABASE_URL").idle_session_timeout(Duration::from_secs(2));

            /// The server ends an idle session of this source after 2 s.
            #[reuse_db(source = SHORT)]
            pub(super) async fn short(db: &mut $connection) -> Result<i64, sqlx::Error> {
                sqlx::query_scalar($session).fetch_one(db).await
            }
        }
    };
}

handlers! { postgres, PgConnection, session: "select pg_backend_pid()::bigint" }
handlers! { mysql, MySqlConnection, session: "select cast(connection_id() as signed)" }

async fn route(request: Request) -> Result<Response<Body>, Error> {
    let is_mysql = std::env::var("DATABASE_URL").is_ok_and(|url| url.starts_with("mysql"));
    let session = match (request.uri().path(), is_mysql) {
        ("/default", false) => postgres::default().await?,
        ("/default", true) => mysql::default().await?,
        ("/short", false) => postgres::short().await?,
        ("/short", true) => mysql::short().await?,
        _ => 0,
    };
    let retried = reuse_db::stats().retried;
    Ok(Response::new(
        json!({ "session": session, "retried": retried })
            .to_string()
            .into(),
    ))
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    reuse_db::run(service_fn(route)).await
}
