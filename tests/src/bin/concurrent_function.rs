//! A function for many invocations at once, with nested and parallel leases.

use lambda_http::{Body, Error, Request, Response, service_fn};
use reuse_db::{AfterResponse, until_shutdown};
use reuse_db_tests::query::{number, word};
use serde_json::json;

/// The connections of the sandbox: more than its 32 invocations, so that nested leases cannot wait
/// for each other for ever, and fewer than the nested leases of 32 invocations.
const MAX_CONNECTIONS: usize = 40;
const KEEP: usize = 8;

/// Defines the handlers for a database. The databases differ in SQL only.
macro_rules! handlers {
    (
        $module:ident, $connection:ident,
        write: $write:literal, work: $work:literal, read: $read:literal
    ) => {
        mod $module {
            use std::time::Duration;

            use lambda_http::Error;
            use reuse_db::{Source, reuse_db};
            use sqlx::{Connection as _, $connection};
            use tokio::time::timeout;

            use super::{KEEP, MAX_CONNECTIONS};

            const SOURCE: Source = Source::env("DATABASE_URL")
                .max_connections(MAX_CONNECTIONS)
                .keep(KEEP)
                .connect_timeout(Duration::from_secs(30));

            /// Writes `n` to the session and reads it again after a while. If the connection served
            /// two invocations at once, the answer is the other one's.
            async fn mark(db: &mut $connection, n: i64) -> Result<i64, Error> {
                sqlx::query($write)
                    .bind(n.to_string())
                    .execute(&mut *db)
                    .await?;
                sqlx::query($work).execute(&mut *db).await?;
                let read: String = sqlx::query_scalar($read).fetch_one(&mut *db).await?;
                Ok(read.parse()?)
            }

            #[reuse_db(source = SOURCE)]
            async fn plain(n: i64, db: &mut $connection) -> Result<i64, Error> {
                mark(db, n).await
            }

            #[reuse_db(source = SOURCE)]
            async fn nested(n: i64, db: &mut $connection) -> Result<i64, Error> {
                let outer = mark(db, n).await?;
                let inner = plain(-n).await?;
                let again: String = sqlx::query_scalar($read).fetch_one(&mut *db).await?;
                Ok(outer + inner + again.parse::<i64>()?)
            }

            #[reuse_db(source = SOURCE)]
            async fn ends(how: &str, n: i64, db: &mut $connection) -> Result<i64, Error> {
                let value = mark(db, n).await?;
                match how {
                    "fail" => Err("the handler fails".into()),
                    "panic" => panic!("the handler panics"),
                    "transaction" => {
                        let mut transaction = db.begin().await?;
                        mark(&mut transaction, n).await
                    }
                    _ => Ok(value),
                }
            }

            pub(super) async fn route(how: &str, n: i64) -> Result<i64, Error> {
                match how {
                    "nested" => nested(n).await,
                    "parallel" => {
                        let (one, two) = tokio::join!(plain(n), plain(-n));
                        Ok(one? - two? - n)
                    }
                    "cancel" => {
                        let cut_off = timeout(Duration::from_millis(2), nested(n)).await;
                        Ok(cut_off.map_or(n, |result| result.unwrap_or(n)))
                    }
                    how => ends(how, n).await,
                }
            }
        }
    };
}

handlers! {
    postgres, PgConnection,
    write: "select set_config('app.mark', $1, false)",
    work: "select pg_sleep(0.002)",
    read: "select current_setting('app.mark')"
}

handlers! {
    mysql, MySqlConnection,
    write: "set @mark = ?",
    work: "select sleep(0.002)",
    read: "select cast(@mark as char)"
}

async fn route(request: Request) -> Result<Response<Body>, Error> {
    let (how, n) = (&word(&request, "how"), number(&request, "n"));
    let value = match std::env::var("DATABASE_URL") {
        Ok(url) if url.starts_with("mysql") => mysql::route(how, n).await?,
        _ => postgres::route(how, n).await?,
    };
    let stats = reuse_db::stats();
    let json = json!({
        "n": n, "value": value,
        "opened": stats.opened, "reused": stats.reused, "discarded": stats.discarded,
        "closed": stats.closed, "unavailable": stats.unavailable,
    });
    Ok(Response::new(json.to_string().into()))
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let handler = service_fn(route);
    if std::env::var("RUN").is_ok_and(|run| run == "composed") {
        let runtime = lambda_http::runtime_concurrent(handler).layer(AfterResponse::new());
        return until_shutdown(runtime.run_concurrent()).await;
    }
    reuse_db::run(handler).await
}
