//! The handler of `with_static_pool`, with the attribute.
//!
//! The variable `FORM` selects the parameter: `pool`, or a connection by default. With
//! `without extension` the parameter is a connection, and no extension is registered.

use std::time::SystemTime;

use lambda_http::{Body, Error, Request, Response, service_fn};
use reuse_db::{Runner, reuse_db};
use reuse_db_tests::start::response;
use sqlx::{MySqlConnection, MySqlPool, PgConnection, PgPool};

/// Defines a handler for a type of parameter.
macro_rules! handler {
    ($name:ident, $database:ty, $statement:literal, $value:expr) => {
        #[reuse_db]
        async fn $name(began: SystemTime, db: $database) -> Result<Response<Body>, Error> {
            let sum: i64 = sqlx::query_scalar($statement)
                .bind($value)
                .fetch_one(db)
                .await?;
            response(began, sum)
        }
    };
}

handler!(postgres, &mut PgConnection, "select $1 + 1", 1_i64);
handler!(postgres_pool, &PgPool, "select $1 + 1", 1_i64);
handler!(
    mysql,
    &mut MySqlConnection,
    "select cast(? + 1 as signed)",
    1
);
handler!(mysql_pool, &MySqlPool, "select cast(? + 1 as signed)", 1);

async fn handler(_request: Request) -> Result<Response<Body>, Error> {
    let began = SystemTime::now();
    let is_mysql = std::env::var("DATABASE_URL")?.starts_with("mysql");
    let is_pool = std::env::var("FORM").is_ok_and(|form| form == "pool");
    match (is_mysql, is_pool) {
        (false, false) => postgres(began).await,
        (false, true) => postgres_pool(began).await,
        (true, false) => mysql(began).await,
        (true, true) => mysql_pool(began).await,
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let handler = service_fn(handler);
    if std::env::var("FORM").is_ok_and(|form| form == "without extension") {
        return Runner::new().without_shutdown().run(handler).await;
    }
    reuse_db::run(handler).await
}
