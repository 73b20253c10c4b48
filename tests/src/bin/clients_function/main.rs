//! A function whose handlers run the steps in the request's body, one a line, on clients of
//! databases beside those of sqlx. The path selects the handler: `/client`, `/transaction`,
//! `/diesel` or `/diesel-mysql`. The parameter `how=read-write` requires a server that accepts
//! writes, and `how=pooled` declares a pooler.
//!
//! | step | does |
//! |---|---|
//! | `sql TEXT` | runs SQL |
//! | `query TEXT` | runs SQL, and answers the text of its first column, or `-` without a row |
//! | `ignore TEXT` | runs SQL, and ignores its error |
//! | `abandon TEXT` | runs SQL, and drops it after 50 ms |
//! | `pause` | waits for 200 ms, and asks nothing |
//! | `fail`, `panic` | ends the handler |
//!
//! The modules list the steps of one client.

#![expect(clippy::panic, reason = "the handler is asked to panic")]

mod of_client;
mod of_diesel;

use std::time::Duration;

use diesel_async::{AsyncMysqlConnection, AsyncPgConnection};
use lambda_http::{Body, Error, Request, Response, service_fn};
use reuse_db::{LoadShedding, Source, reuse_db};
use reuse_db_tests::query::word;
use tokio::time::{sleep, timeout};
use tokio_postgres::{Client, Transaction};

const SOURCE: Source = Source::env("DATABASE_URL");
/// A sandbox asks for the server's load rarely, so that a test can count.
const QUIET: Source = SOURCE.load_shedding(LoadShedding::off());
const READ_WRITE: Source = QUIET.read_write();
const POOLED: Source = QUIET.transaction_pooler();

/// A client that runs steps.
trait Steps: Send {
    fn sql(&mut self, sql: &str) -> impl Future<Output = Result<(), Error>> + Send;
    fn query(&mut self, sql: &str) -> impl Future<Output = Result<String, Error>> + Send;
    /// Runs a step that no other client has.
    fn other(
        &mut self,
        step: &str,
        text: &str,
    ) -> impl Future<Output = Result<Option<String>, Error>> + Send;
}

async fn run(request: &Request, mut client: impl Steps) -> Result<Response<Body>, Error> {
    let body = std::str::from_utf8(request.body())?;
    let mut answers = Vec::new();
    for line in body.lines() {
        let (step, text) = line.split_once(' ').unwrap_or((line, ""));
        match step {
            "sql" => client.sql(text).await?,
            "query" => answers.push(client.query(text).await?),
            "ignore" => {
                if client.sql(text).await.is_ok() {
                    return Err("the server has accepted it".into());
                }
            }
            "abandon" => {
                let cut_off = timeout(Duration::from_millis(50), client.sql(text)).await;
                if cut_off.is_ok() {
                    return Err("the answer came in time".into());
                }
            }
            "pause" => sleep(Duration::from_millis(200)).await,
            "fail" => return Err("the handler fails".into()),
            "panic" => panic!("the handler panics"),
            step => answers.extend(client.other(step, text).await?),
        }
    }
    Ok(Response::new(answers.join(",").into()))
}

#[reuse_db(source = QUIET)]
async fn client(request: Request, db: &mut Client) -> Result<Response<Body>, Error> {
    run(&request, of_client::Runner(db)).await
}

#[reuse_db(source = READ_WRITE)]
async fn read_write(request: Request, db: &mut Client) -> Result<Response<Body>, Error> {
    run(&request, of_client::Runner(db)).await
}

#[reuse_db(source = QUIET)]
async fn transaction(request: Request, db: &mut Transaction<'_>) -> Result<Response<Body>, Error> {
    run(&request, of_client::Runner(db.client())).await
}

#[reuse_db(source = POOLED)]
async fn pooled(request: Request, db: &mut Transaction<'_>) -> Result<Response<Body>, Error> {
    run(&request, of_client::Runner(db.client())).await
}

#[reuse_db(source = QUIET)]
async fn diesel_pg(request: Request, db: &mut AsyncPgConnection) -> Result<Response<Body>, Error> {
    run(&request, of_diesel::Runner(db)).await
}

#[reuse_db(source = QUIET)]
async fn diesel_mysql(
    request: Request,
    db: &mut AsyncMysqlConnection,
) -> Result<Response<Body>, Error> {
    run(&request, of_diesel::Runner(db)).await
}

#[reuse_db(source = READ_WRITE)]
async fn diesel_mysql_writer(
    request: Request,
    db: &mut AsyncMysqlConnection,
) -> Result<Response<Body>, Error> {
    run(&request, of_diesel::Runner(db)).await
}

/// Returns the error of diesel.
#[reuse_db(source = QUIET)]
async fn typed(db: &mut AsyncPgConnection) -> Result<Response<Body>, diesel::result::Error> {
    diesel_async::SimpleAsyncConnection::batch_execute(db, "select 1").await?;
    Ok(Response::new(Body::Empty))
}

async fn route(request: Request) -> Result<Response<Body>, Error> {
    match (request.uri().path(), word(&request, "how").as_str()) {
        ("/client", "read-write") => read_write(request).await,
        ("/client", _) => client(request).await,
        ("/transaction", "pooled") => pooled(request).await,
        ("/transaction", _) => transaction(request).await,
        ("/diesel", "typed") => Ok(typed().await?),
        ("/diesel-mysql", "read-write") => diesel_mysql_writer(request).await,
        ("/diesel-mysql", _) => diesel_mysql(request).await,
        ("/diesel", _) => diesel_pg(request).await,
        other => Err(format!("no handler {other:?}").into()),
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_http::tracing::init_default_subscriber();
    reuse_db::run(service_fn(route)).await
}
