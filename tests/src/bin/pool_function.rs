//! A function with a pool of several connections, beside a connection that it opens itself.
//! PostgreSQL only.

use std::time::Duration;

use lambda_http::{Body, Error, Request, Response, service_fn};
use reuse_db::{Source, reuse_db};
use reuse_db_tests::query::number;
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

const SOURCE: Source = Source::env("DATABASE_URL").max_connections(4);

/// The function's own connection.
static OWN: Mutex<Option<PgConnection>> = Mutex::const_new(None);

async fn pids(db: &PgPool, count: i64) -> Result<Vec<i32>, Error> {
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        let db = db.clone();
        let sql = "select pg_backend_pid() from pg_sleep(0.03)";
        tasks.spawn(async move { sqlx::query_scalar::<_, i32>(sql).fetch_one(&db).await });
    }
    let all = tasks.join_all().await.into_iter();
    Ok(all.collect::<Result<_, _>>()?)
}

/// Runs statements side by side, and returns the numbers of their sessions.
#[reuse_db(source = SOURCE)]
async fn many(count: i64, db: &PgPool) -> Result<Vec<i32>, Error> {
    pids(db, count).await
}

/// Runs pairs of statements side by side.
#[reuse_db(source = SOURCE)]
async fn pairs(count: i64, db: &PgPool) -> Result<Vec<i32>, Error> {
    for _ in 0..count {
        let one = sqlx::query("select 1").execute(db);
        let two = sqlx::query("select 1").execute(db);
        tokio::try_join!(one, two)?;
    }
    Ok(Vec::new())
}

/// Leaves a task with a statement of some seconds, and uses another connection.
#[reuse_db(source = SOURCE)]
async fn spawns(seconds: i64, db: PgPool) -> Result<Vec<i32>, Error> {
    let pool = db.clone();
    tokio::spawn(async move {
        let sleep = sqlx::query("select pg_sleep($1)").bind(seconds as f64);
        let _ = sleep.execute(&pool).await;
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    pids(&db, 1).await
}

/// Runs a statement that is longer than the function's time-out.
#[reuse_db(source = SOURCE)]
async fn long(_count: i64, db: &PgPool) -> Result<Vec<i32>, Error> {
    sqlx::query("select pg_sleep(60)").execute(db).await?;
    Ok(Vec::new())
}

/// Uses the function's own connection.
async fn own() -> Result<Vec<i32>, Error> {
    let mut own = OWN.lock().await;
    if own.is_none() {
        *own = Some(PgConnection::connect(&std::env::var("DATABASE_URL")?).await?);
    }
    let own = own.as_mut().ok_or("no connection")?;
    let pid = sqlx::query_scalar("select pg_backend_pid()");
    Ok(vec![pid.fetch_one(own).await?])
}

async fn route(request: Request) -> Result<Response<Body>, Error> {
    let count = number(&request, "count");
    let pids = match request.uri().path() {
        "/many" => many(count).await,
        "/pairs" => pairs(count).await,
        "/spawns" => spawns(count).await,
        "/long" => long(count).await,
        "/own" => own().await,
        path => Err(format!("no route {path}").into()),
    };
    Ok(Response::new(serde_json::to_string(&pids?)?.into()))
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    reuse_db::run(service_fn(route)).await
}
