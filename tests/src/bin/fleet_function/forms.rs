//! The forms of reuse-db. Every setting of their source is a default.

use reuse_db::reuse_db;
use sqlx::AnyConnection;

/// Runs a statement on a connection of either database.
#[reuse_db]
async fn any(sql: &'static str, seconds: f64, db: &mut AnyConnection) -> Result<(), sqlx::Error> {
    sqlx::query(sql).bind(seconds).execute(db).await?;
    Ok(())
}

/// Defines the handlers for a database. The databases differ in SQL only.
macro_rules! forms {
    ($module:ident, $database:ident, $connection:ident, sleep: $sleep:literal) => {
        pub(crate) mod $module {
            use lambda_http::{Error, Request};
            use reuse_db::{Lease, Outcome, reuse_db};
            use sqlx::{Pool, Transaction, $connection, $database};

            #[reuse_db]
            async fn connection(seconds: f64, db: &mut $connection) -> Result<(), sqlx::Error> {
                sqlx::query($sleep).bind(seconds).execute(db).await?;
                Ok(())
            }

            #[reuse_db]
            async fn transaction(
                seconds: f64,
                tx: &mut Transaction<'_, $database>,
            ) -> Result<(), sqlx::Error> {
                sqlx::query($sleep).bind(seconds).execute(&mut **tx).await?;
                Ok(())
            }

            #[reuse_db]
            async fn pool(seconds: f64, pool: &Pool<$database>) -> Result<(), sqlx::Error> {
                sqlx::query($sleep).bind(seconds).execute(pool).await?;
                Ok(())
            }

            #[reuse_db]
            async fn lease(seconds: f64, mut db: Lease<$connection>) -> Result<(), Error> {
                let connection = Lease::open(&mut db).await?;
                let result = sqlx::query($sleep).bind(seconds).execute(connection).await;
                let outcome = match result {
                    Ok(_) => Outcome::Success,
                    Err(_) => Outcome::Failure,
                };
                Lease::settle(db, outcome);
                result?;
                Ok(())
            }

            pub(crate) async fn route(request: &Request, seconds: f64) -> Result<(), Error> {
                match request.uri().path() {
                    "/connection" => connection(seconds).await?,
                    "/transaction" => transaction(seconds).await?,
                    "/pool" => pool(seconds).await?,
                    "/lease" => lease(seconds).await?,
                    "/any" => super::any($sleep, seconds).await?,
                    path => return Err(format!("no route {path}").into()),
                }
                Ok(())
            }
        }
    };
}

forms! { postgres, Postgres, PgConnection, sleep: "select 1 from pg_sleep($1)" }
forms! { mysql, MySql, MySqlConnection, sleep: "do sleep(?)" }
