//! Passwords that change while connections are kept.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod function;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use function::server::Server;
use lambda_bench::servers::{Mariadb, Postgres};
use reuse_db::{
    BoxError, Connect, Credentials, Exclusive, Lease, Outcome, Shared, SharedLease, Source,
};
use sqlx::{Executor, MySqlConnection, MySqlPool, PgConnection, PgPool};
use tokio::sync::{Mutex as Turn, MutexGuard};

/// What the function for credentials yields, one after the other; the last for ever.
static SECRETS: Mutex<Vec<&str>> = Mutex::new(Vec::new());
static ASKED: AtomicUsize = AtomicUsize::new(0);

async fn secret() -> Result<Credentials, BoxError> {
    ASKED.fetch_add(1, Ordering::Relaxed);
    let mut secrets = SECRETS.lock().map_err(|_| "a test has failed")?;
    let password = if secrets.len() > 1 {
        secrets.remove(0)
    } else {
        secrets[0]
    };
    Ok(Credentials::new("app", password))
}

/// The function's credentials are those of one test at a time.
async fn turn() -> MutexGuard<'static, ()> {
    static TURN: Turn<()> = Turn::const_new(());
    TURN.lock().await
}

fn secrets(yielded: &[&'static str]) {
    ASKED.store(0, Ordering::Relaxed);
    *SECRETS.lock().expect("nobody panics with it") = yielded.to_vec();
}

fn asked() -> usize {
    ASKED.load(Ordering::Relaxed)
}

/// The server's URL, with a password that is of no use.
fn source(server: &impl Server) -> Source {
    let url = server.url().replace("s3cret", "n0ne");
    Source::env("REUSE_DB_NO_SUCH_VARIABLE")
        .or(url.leak())
        .credentials(&secret)
}

async fn ask<C: Connect>(db: &'static Exclusive<C>) -> Result<(), reuse_db::Error>
where
    for<'c> &'c mut C: Executor<'c>,
{
    let mut lease = db.lease().await?;
    let result = Lease::open(&mut lease).await?.execute("select 1").await;
    Lease::settle(lease, outcome(result.is_ok()));
    result.map(drop).map_err(Into::into)
}

async fn a_connection_goes_on<C: Connect>(server: &impl Server, rotate: impl AsyncFn(&'static str))
where
    for<'c> &'c mut C: Executor<'c>,
{
    let _turn = turn().await;
    secrets(&["s3cret"]);
    let db: &'static Exclusive<C> = Box::leak(Box::new(Exclusive::new(source(server))));
    ask(db).await.expect("the first");
    rotate("n3w").await;
    ask(db).await.expect("the session goes on");
    assert_eq!(asked(), 1, "for the one connection");

    // The function still has the old one when it is asked first.
    secrets(&["s3cret", "n3w"]);
    assert_eq!(server.end_sessions().await, 1);
    tokio::time::sleep(function::LONG).await;
    ask(db).await.expect("asked once more");
    assert_eq!((asked(), db.stats().unavailable), (2, 0));

    secrets(&["wr0ng"]);
    server.end_sessions().await;
    tokio::time::sleep(function::LONG).await;
    let error = ask(db).await.expect_err("no such password").to_string();
    assert!(
        error.contains("rejected") && !error.contains("wr0ng"),
        "{error}"
    );
    assert_eq!(asked(), 2, "and not for ever");
    secrets(&["n3w"]);
    ask(db).await.expect("nothing is remembered");
}

/// `nap` takes a moment.
async fn a_pool_goes_on<P>(
    server: &impl Server,
    rotate: impl AsyncFn(&'static str),
    nap: &'static str,
) where
    P: Connect + Sync,
    for<'p> &'p P: Executor<'p>,
{
    let _turn = turn().await;
    secrets(&["s3cret"]);
    let db: &'static Shared<P> = Box::leak(Box::new(Shared::new(source(server))));
    let ask = async || {
        let lease = db.lease().await.expect("a pool");
        let result = SharedLease::get(&lease).execute("select 1").await.map(drop);
        SharedLease::settle(lease, outcome(result.is_ok()));
        result
    };
    ask().await.expect("the first");
    rotate("n3w").await;
    secrets(&["n3w"]);
    ask().await.expect("the session goes on");
    assert_eq!(asked(), 0);
    // Its connection is gone: they are asked for, for another in its place.
    server.end_sessions().await;
    tokio::time::sleep(function::LONG).await;
    ask().await.expect("no invocation fails");
    assert_eq!(asked(), 1);

    // A second connection, which the pool opens by itself, as it was told last.
    let both = async || {
        let lease = db.lease().await.expect("a pool");
        let pool = SharedLease::get(&lease);
        let (one, two) = tokio::join!(pool.execute(nap), pool.execute(nap));
        let is_ok = one.is_ok() && two.is_ok();
        SharedLease::settle(lease, outcome(is_ok));
        is_ok
    };
    assert!(!both().await, "it knows the old password only");
    assert!(both().await, "asked after a failure");
    assert_eq!(asked(), 2);
}

fn outcome(is_ok: bool) -> Outcome {
    if is_ok {
        Outcome::Success
    } else {
        Outcome::Failure
    }
}

async fn rotate_postgres(server: &Postgres, password: &str) {
    server
        .execute(&format!("alter role app password '{password}'"))
        .await;
}

async fn rotate_mariadb(server: &Mariadb, password: &str) {
    server
        .execute(&format!("alter user app@'%' identified by '{password}'"))
        .await;
}

#[tokio::test]
async fn row_09_a_connection_to_postgres() {
    let server = <Postgres as Server>::launch().await;
    let rotate = async |password| rotate_postgres(&server, password).await;
    a_connection_goes_on::<PgConnection>(&server, rotate).await;
}

#[tokio::test]
async fn row_09_a_connection_to_mariadb() {
    let server = <Mariadb as Server>::launch().await;
    let rotate = async |password| rotate_mariadb(&server, password).await;
    a_connection_goes_on::<MySqlConnection>(&server, rotate).await;
}

#[tokio::test]
async fn row_09_a_pool_of_postgres() {
    let server = <Postgres as Server>::launch().await;
    let rotate = async |password| rotate_postgres(&server, password).await;
    a_pool_goes_on::<PgPool>(&server, rotate, "select pg_sleep(0.3)").await;
}

#[tokio::test]
async fn row_09_a_pool_of_mariadb() {
    let server = <Mariadb as Server>::launch().await;
    let rotate = async |password| rotate_mariadb(&server, password).await;
    a_pool_goes_on::<MySqlPool>(&server, rotate, "do sleep(0.3)").await;
}
