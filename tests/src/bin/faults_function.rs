//! The function of the stress test of faults: it writes a number, with each parameter type, to each
//! database.
//!
//! The scheme of `DATABASE_URL` selects the database, and the path the parameter type. With
//! `patience=MS` a query of a second follows, which the handler cancels after that time.

use std::time::Duration;

use lambda_http::{Body, Error, Request, Response, service_fn};
use reuse_db_tests::query::{number, word};

/// Defines the handlers for a database. The databases differ in SQL only.
macro_rules! handlers {
    (
        $module:ident, $database:ident, $connection:ident,
        write: $write:literal, nap: $nap:literal
    ) => {
        mod $module {
            use std::time::Duration;

            use lambda_http::Error;
            use reuse_db::{Source, reuse_db};
            use sqlx::{Pool, Transaction, $connection, $database};
            use tokio::time::timeout;

            /// A short `verify_after` makes a short freeze long enough for a health check.
            const SOURCE: Source = Source::env("DATABASE_URL")
                .read_write()
                .verify_after(Duration::from_millis(50));

            /// Runs the statements of a handler. `$db` is evaluated for each.
            macro_rules! work {
                ($db:expr, $patience:expr, $n:expr) => {{
                    sqlx::query($write).bind($n).execute($db).await?;
                    if let Some(patience) = $patience {
                        timeout(patience, sqlx::query($nap).execute($db))
                            .await
                            .map_err(|_| "no answer in time, said the handler")??;
                    }
                    Ok($n)
                }};
            }

            #[reuse_db(source = SOURCE)]
            async fn connection(
                patience: Option<Duration>,
                n: i64,
                db: &mut $connection,
            ) -> Result<i64, Error> {
                work!(&mut *db, patience, n)
            }

            #[reuse_db(source = SOURCE)]
            async fn pool(
                patience: Option<Duration>,
                n: i64,
                pool: &Pool<$database>,
            ) -> Result<i64, Error> {
                work!(pool, patience, n)
            }

            #[reuse_db(source = SOURCE)]
            async fn transaction(
                patience: Option<Duration>,
                n: i64,
                db: &mut Transaction<'_, $database>,
            ) -> Result<i64, Error> {
                work!(&mut **db, patience, n)
            }

            pub(super) async fn route(
                path: &str,
                patience: Option<Duration>,
                n: i64,
            ) -> Result<i64, Error> {
                match path {
                    "/connection" => connection(patience, n).await,
                    "/pool" => pool(patience, n).await,
                    "/transaction" => transaction(patience, n).await,
                    path => Err(format!("no route {path}").into()),
                }
            }
        }
    };
}

handlers! {
    postgres, Postgres, PgConnection,
    write: "insert into notes (n) values ($1)", nap: "select pg_sleep(1)"
}

handlers! {
    mysql, MySql, MySqlConnection,
    write: "insert into notes (n) values (?)", nap: "select sleep(1)"
}

handlers! {
    sqlite, Sqlite, SqliteConnection,
    write: "insert into notes (n) values (?)", nap: "select 0"
}

async fn route(request: Request) -> Result<Response<Body>, Error> {
    let path = request.uri().path().to_owned();
    let patience = word(&request, "patience").parse().ok();
    let (patience, n) = (patience.map(Duration::from_millis), number(&request, "n"));
    let value = match std::env::var("DATABASE_URL") {
        Ok(url) if url.starts_with("mysql") => mysql::route(&path, patience, n).await?,
        Ok(url) if url.starts_with("sqlite") => sqlite::route(&path, patience, n).await?,
        _ => postgres::route(&path, patience, n).await?,
    };
    Ok(Response::new(value.to_string().into()))
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    reuse_db::run(service_fn(route)).await
}
