//! An axum router of twenty annotated handlers, and two that call each other.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use reuse_db::reuse_db;
use sqlx::{PgConnection, Postgres, Transaction};

/// An error as axum wants it.
struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (StatusCode::BAD_GATEWAY, self.0).into_response()
    }
}

#[derive(Clone)]
struct App {
    factor: i64,
}

/// The product of three numbers and the server's number for the session, in two statements.
macro_rules! routes {
    ($router:ident: $($handler:ident)*) => {
        $(
            #[reuse_db]
            async fn $handler(
                State(App { factor }): State<App>,
                Path(number): Path<i64>,
                #[db] db: &mut PgConnection,
                Query(query): Query<Vec<(String, i64)>>,
            ) -> Result<String, Failure> {
                let other = query.first().map_or(1, |(_, other)| *other);
                let product: i64 = sqlx::query_scalar("select $1 * $2 * $3")
                    .bind(factor)
                    .bind(number)
                    .bind(other)
                    .fetch_one(&mut *db)
                    .await?;
                let session: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(db).await?;
                Ok(format!("{product} {session}"))
            }
        )*

        fn $router() -> Router<App> {
            Router::new()$(.route(concat!("/", stringify!($handler), "/{number}"), get($handler)))*
        }
    };
}

routes! { twenty: a b c d e f g h i j k l m n o p q r s t }

#[reuse_db]
async fn inner(tx: &mut Transaction<'_, Postgres>) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("select pg_backend_pid()")
        .fetch_one(&mut **tx)
        .await
}

#[reuse_db]
async fn outer(db: &mut PgConnection) -> Result<String, Failure> {
    let session: i32 = sqlx::query_scalar("select pg_backend_pid()")
        .fetch_one(db)
        .await?;
    Ok(format!("{session} {}", inner().await?))
}

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    let router = twenty()
        .route("/nested", get(outer))
        .with_state(App { factor: 2 });
    reuse_db::run(router).await
}
