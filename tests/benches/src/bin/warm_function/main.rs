//! A handler that runs some statements, one after the other, on a database that it gets in one of
//! several ways. The variable `WAY` selects the way, and the query's `n` the number of statements.
//! For no statement, it runs one that sleeps for 20 ms.

mod diesel_async;
mod redis;
mod sea_orm;
mod tokio_postgres;

use lambda_http::{Body, Error, Request, RequestExt as _, Response, service_fn};
use reuse_db::reuse_db;
use sqlx::Connection as _;

/// Defines the ways for a database.
macro_rules! ways {
    ($module:ident, $database:ident, $connection:ident, $pool:ident, $sql:literal, $sleep:literal) => {
        mod $module {
            use sqlx::pool::PoolOptions;
            use sqlx::{Transaction, $connection, $database, $pool};
            use tokio::sync::{Mutex, OnceCell};

            use super::*;

            static HELD: Mutex<Option<$connection>> = Mutex::const_new(None);
            static POOL: OnceCell<$pool> = OnceCell::const_new();

            /// Runs `n` statements, and returns the sum of their answers.
            macro_rules! run {
                ($n:expr, $db:expr) => {{
                    let mut sum = 0;
                    if $n == 0 {
                        sqlx::query($sleep).execute($db).await?;
                    }
                    for i in 0..$n {
                        sum += sqlx::query_scalar::<_, i64>($sql)
                            .bind(i)
                            .fetch_one($db)
                            .await?;
                    }
                    Ok(sum)
                }};
            }

            #[reuse_db]
            async fn connection(n: i64, db: &mut $connection) -> Result<i64, Error> {
                run!(n, &mut *db)
            }

            #[reuse_db]
            async fn pool(n: i64, db: &$pool) -> Result<i64, Error> {
                run!(n, db)
            }

            #[reuse_db]
            async fn transaction(
                n: i64,
                tx: &mut Transaction<'_, $database>,
            ) -> Result<i64, Error> {
                run!(n, &mut **tx)
            }

            /// The limit: a connection in a static, without any care for it.
            async fn held(n: i64) -> Result<i64, Error> {
                let mut held = HELD.lock().await;
                if held.is_none() {
                    *held = Some($connection::connect(&url()?).await?);
                }
                let db = held.as_mut().ok_or("connected above")?;
                run!(n, &mut *db)
            }

            async fn held_transaction(n: i64) -> Result<i64, Error> {
                let mut held = HELD.lock().await;
                if held.is_none() {
                    *held = Some($connection::connect(&url()?).await?);
                }
                let db = held.as_mut().ok_or("connected above")?;
                let mut tx = db.begin().await?;
                let sum: Result<i64, Error> = run!(n, &mut *tx);
                let sum = sum?;
                tx.commit().await?;
                Ok(sum)
            }

            async fn static_pool(n: i64, options: PoolOptions<$database>) -> Result<i64, Error> {
                let url = url()?;
                let pool = POOL.get_or_try_init(|| options.connect(&url)).await?;
                run!(n, pool)
            }

            async fn connect_each(n: i64) -> Result<i64, Error> {
                let mut db = $connection::connect(&url()?).await?;
                let sum: Result<i64, Error> = run!(n, &mut db);
                db.close().await?;
                sum
            }

            pub(super) async fn sum(way: &str, n: i64) -> Result<i64, Error> {
                match way {
                    "connection" => connection(n).await,
                    "pool" => pool(n).await,
                    "transaction" => transaction(n).await,
                    "held" => held(n).await,
                    "held_transaction" => held_transaction(n).await,
                    "static_pool" => static_pool(n, PoolOptions::new()).await,
                    "static_pool_of_one" => {
                        static_pool(n, PoolOptions::new().max_connections(1)).await
                    }
                    "connect_each" => connect_each(n).await,
                    way => Err(format!("no way `{way}`").into()),
                }
            }
        }
    };
}

ways!(
    postgres,
    Postgres,
    PgConnection,
    PgPool,
    "select $1 + 1",
    "select pg_sleep(0.02)"
);
ways!(
    mysql,
    MySql,
    MySqlConnection,
    MySqlPool,
    "select cast(? + 1 as signed)",
    "select sleep(0.02)"
);

fn url() -> Result<String, Error> {
    Ok(std::env::var("DATABASE_URL")?)
}

async fn handler(request: Request) -> Result<Response<Body>, Error> {
    let query = request.query_string_parameters();
    let n = query.first("n").unwrap_or("1").parse()?;
    let way = std::env::var("WAY")?;
    let sum = if way.contains("redis") {
        redis::sum(&way, n).await?
    } else if way.contains("sea_orm") {
        sea_orm::sum(&way, n).await?
    } else if way.contains("tokio_postgres") {
        tokio_postgres::sum(&way, n).await?
    } else if way.contains("diesel") {
        diesel_async::sum(&way, n).await?
    } else if url()?.starts_with("mysql") {
        mysql::sum(&way, n).await?
    } else {
        postgres::sum(&way, n).await?
    };
    Ok(Response::new(sum.to_string().into()))
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let is_ours = [
        "connection",
        "pool",
        "transaction",
        "redis",
        "sea_orm",
        "tokio_postgres",
        "diesel",
    ];
    let handler = service_fn(handler);
    // The others are as their users write them.
    if is_ours.contains(&std::env::var("WAY")?.as_str()) {
        reuse_db::run(handler).await
    } else {
        lambda_http::run(handler).await
    }
}
