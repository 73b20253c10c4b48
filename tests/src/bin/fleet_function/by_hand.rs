//! The ways without reuse-db, for comparison.

use std::sync::atomic::{AtomicU64, Ordering};

static OPENED: AtomicU64 = AtomicU64::new(0);

/// Returns the number of connections opened by hand.
pub(crate) fn opened() -> u64 {
    OPENED.load(Ordering::Relaxed)
}

fn count() {
    OPENED.fetch_add(1, Ordering::Relaxed);
}

/// Defines the ways for a database. The databases differ in SQL only.
macro_rules! by_hand {
    ($module:ident, $database:ident, $connection:ident, sleep: $sleep:literal) => {
        pub(crate) mod $module {
            use lambda_http::{Error, Request};
            use sqlx::pool::PoolOptions;
            use sqlx::{Connection as _, Pool, $connection, $database};
            use tokio::sync::OnceCell;

            /// Connects, runs a statement and closes the connection.
            async fn each(url: &str, seconds: f64) -> Result<(), sqlx::Error> {
                let mut connection = $connection::connect(url).await?;
                super::count();
                sqlx::query($sleep)
                    .bind(seconds)
                    .execute(&mut connection)
                    .await?;
                connection.close().await
            }

            static POOL: OnceCell<Pool<$database>> = OnceCell::const_new();

            /// Runs a statement on a pool in a static, with sqlx's default settings.
            async fn static_pool(url: &str, seconds: f64) -> Result<(), sqlx::Error> {
                let options = PoolOptions::new().after_connect(|_, _| {
                    super::count();
                    Box::pin(async { Ok(()) })
                });
                let pool = POOL.get_or_try_init(|| options.connect(url)).await?;
                sqlx::query($sleep).bind(seconds).execute(pool).await?;
                Ok(())
            }

            pub(crate) async fn route(
                request: &Request,
                url: &str,
                seconds: f64,
            ) -> Result<(), Error> {
                match request.uri().path() {
                    "/each" => each(url, seconds).await?,
                    _ => static_pool(url, seconds).await?,
                }
                Ok(())
            }
        }
    };
}

by_hand! { postgres, Postgres, PgConnection, sleep: "select 1 from pg_sleep($1)" }
by_hand! { mysql, MySql, MySqlConnection, sleep: "do sleep(?)" }
