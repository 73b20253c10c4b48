//! A function with a handler for each client that signs in to a database of AWS. The path selects
//! the client, and the parameter `source` the settings:
//!
//! | path | client |
//! |---|---|
//! | `/pg`, `/pool` | a connection or a pool of sqlx, to PostgreSQL |
//! | `/mysql` | a connection of sqlx, to MySQL |
//! | `/client` | tokio-postgres |
//! | `/pg-diesel`, `/diesel` | diesel-async, to PostgreSQL and to MySQL |
//! | `/pg-sea-orm`, `/sea-orm` | SeaORM, to PostgreSQL and to MySQL |
//! | `/redis` | redis-rs |
//!
//! | source | settings |
//! |---|---|
//! | `rds_iam`, `dsql` | sign-in by IAM |
//! | `secret_env` | the secret that `SECRET` names |
//! | `rotated` | the same, with a new connection in each invocation |
//! | `verified` | verified TLS |
//! | `plain` | as the URL says |
//!
//! A handler answers the session's number and user, and the counters of the process.

mod clients;

use std::time::Duration;

use diesel_async::{AsyncMysqlConnection, AsyncPgConnection};
use lambda_http::{Body, Error, Request, Response, service_fn};
use redis::aio::MultiplexedConnection;
use reuse_db::{LoadShedding, Source, reuse_db};
use reuse_db_tests::query::word;
use sea_orm::DatabaseConnection;
use sqlx::{MySqlConnection, PgConnection, PgPool};
use tokio_postgres::Client;

/// A sandbox asks for the server's load never, so that a test can count.
const PLAIN: Source = Source::env("DATABASE_URL").load_shedding(LoadShedding::off());
const RDS_IAM: Source = PLAIN.rds_iam();
const DSQL: Source = PLAIN.dsql();
const SECRET_ENV: Source = PLAIN.secret_env("SECRET");
const ROTATED: Source = SECRET_ENV.max_lifetime(Duration::ZERO);
const VERIFIED: Source = PLAIN.verified_tls();

/// Defines the handlers of a source.
macro_rules! handlers {
    ($($module:ident: $source:ident),*) => {
        $(mod $module {
            use super::*;

            #[reuse_db(source = $source)]
            async fn pg(db: &mut PgConnection) -> Result<Response<Body>, Error> {
                clients::postgres(db).await
            }

            #[reuse_db(source = $source)]
            async fn pool(db: &PgPool) -> Result<Response<Body>, Error> {
                clients::postgres(db).await
            }

            #[reuse_db(source = $source)]
            async fn mysql(db: &mut MySqlConnection) -> Result<Response<Body>, Error> {
                clients::mysql(db).await
            }

            #[reuse_db(source = $source)]
            async fn client(db: &mut Client) -> Result<Response<Body>, Error> {
                clients::tokio_postgres(db).await
            }

            #[reuse_db(source = $source)]
            async fn diesel(db: &mut AsyncMysqlConnection) -> Result<Response<Body>, Error> {
                clients::diesel(db).await
            }

            #[reuse_db(source = $source)]
            async fn pg_diesel(db: &mut AsyncPgConnection) -> Result<Response<Body>, Error> {
                clients::postgres_diesel(db).await
            }

            #[reuse_db(source = $source)]
            async fn sea_orm(db: &DatabaseConnection) -> Result<Response<Body>, Error> {
                clients::sea_orm(db).await
            }

            #[reuse_db(source = $source)]
            async fn redis(db: &mut MultiplexedConnection) -> Result<Response<Body>, Error> {
                clients::redis(db).await
            }

            pub(super) async fn warm() {
                PG_DB.warm().await;
            }

            pub(super) async fn route(path: &str) -> Result<Response<Body>, Error> {
                match path {
                    "/pg" => pg().await,
                    "/pool" => pool().await,
                    "/mysql" => mysql().await,
                    "/client" => client().await,
                    "/diesel" => diesel().await,
                    "/pg-diesel" => pg_diesel().await,
                    "/pg-sea-orm" | "/sea-orm" => sea_orm().await,
                    "/redis" => redis().await,
                    other => Err(format!("no handler {other}").into()),
                }
            }
        })*

        /// Opens a connection in the initialization.
        async fn warm(source: &str) {
            match source {
                $(stringify!($module) => $module::warm().await,)*
                _ => {}
            }
        }

        async fn route(request: Request) -> Result<Response<Body>, Error> {
            let (path, source) = (request.uri().path(), word(&request, "source"));
            match source.as_str() {
                $(stringify!($module) => $module::route(path).await,)*
                other => Err(format!("no source {other}").into()),
            }
        }
    };
}

handlers! {
    rds_iam: RDS_IAM, dsql: DSQL, secret_env: SECRET_ENV, rotated: ROTATED, verified: VERIFIED,
    plain: PLAIN
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_http::tracing::init_default_subscriber();
    // Opens a connection before a snapshot.
    if let Ok(path) = std::env::var("INIT") {
        rds_iam::route(&path).await?;
    }
    if let Ok(source) = std::env::var("WARM") {
        warm(&source).await;
    }
    reuse_db::run(service_fn(route)).await
}
