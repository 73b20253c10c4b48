//! A password may change while connections are kept: the credentials function is called for each
//! new connection.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, with a message"
)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lambda_bench::servers::{Mysql, Postgres};
use reuse_db::{
    BoxError, Connect, Credentials, Exclusive, Lease, LoadShedding, SharedLease, Source,
};
use reuse_db_tests::function::a_long_freeze;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::statics::{self, exclusive, outcome, shared};
use sqlx::{Executor, MySqlConnection, MySqlPool, PgConnection, PgPool};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};

/// The passwords of the next calls of the credentials function. The last one is repeated.
static SECRETS: Mutex<Vec<&str>> = Mutex::new(Vec::new());
static CALLS: AtomicUsize = AtomicUsize::new(0);

async fn secret() -> Result<Credentials, BoxError> {
    CALLS.fetch_add(1, Ordering::Relaxed);
    let mut secrets = SECRETS.lock().map_err(|_| "a test has failed")?;
    let password = if secrets.len() > 1 {
        secrets.remove(0)
    } else {
        secrets[0]
    };
    Ok(Credentials::new("app", password))
}

/// Waits until no other test uses the credentials function.
async fn alone() -> MutexGuard<'static, ()> {
    static ALONE: AsyncMutex<()> = AsyncMutex::const_new(());
    ALONE.lock().await
}

fn set_secrets(secrets: &[&'static str]) {
    CALLS.store(0, Ordering::Relaxed);
    *SECRETS.lock().expect("no test panics with the lock") = secrets.to_vec();
}

/// Returns the number of calls of the credentials function since the last change of its secrets.
fn calls() -> usize {
    CALLS.load(Ordering::Relaxed)
}

/// Returns the source of the server's URL, in which the password is wrong.
fn source(server: &impl Server) -> Source {
    let url = server.url().replace("s3cret", "n0ne");
    // A load query could take the only connection of a pool at the wrong moment.
    let source = statics::source(url).load_shedding(LoadShedding::off());
    source.credentials(&secret)
}

async fn invoke<C: Connect>(db: &'static Exclusive<C>) -> Result<(), reuse_db::Error>
where
    for<'c> &'c mut C: Executor<'c>,
{
    let mut lease = db.lease().await?;
    let result = Lease::open(&mut lease).await?.execute("select 1").await;
    Lease::settle(lease, outcome(&result));
    result.map(drop).map_err(Into::into)
}

async fn connections_survive_a_rotation<C: Connect>(
    server: &impl Server,
    rotate: impl AsyncFn(&'static str),
) where
    for<'c> &'c mut C: Executor<'c>,
{
    let _alone = alone().await;
    set_secrets(&["s3cret"]);
    let db = exclusive::<C>(source(server));
    invoke(db).await.expect("the first invocation");
    rotate("n3w").await;
    invoke(db).await.expect("the session outlives its password");
    assert_eq!(calls(), 1, "one connection was opened");

    // The first call still returns the old password.
    set_secrets(&["s3cret", "n3w"]);
    assert_eq!(server.end_sessions().await, 1);
    a_long_freeze().await;
    invoke(db).await.expect("the second call's password");
    assert_eq!((calls(), db.stats().unavailable), (2, 0));

    set_secrets(&["wr0ng"]);
    server.end_sessions().await;
    a_long_freeze().await;
    let error = invoke(db).await.expect_err("no such password").to_string();
    assert!(
        error.contains("the sign-in kept failing") && !error.contains("wr0ng"),
        "{error}"
    );
    assert!((3..=12).contains(&calls()), "at most twice a second");
    set_secrets(&["n3w"]);
    invoke(db).await.expect("no failure is remembered");
}

/// `slow` is a statement that takes 300 ms, so that two of them need two connections.
async fn a_pool_survives_a_rotation<P>(
    server: &impl Server,
    rotate: impl AsyncFn(&'static str),
    slow: &'static str,
) where
    P: Connect + Sync,
    for<'p> &'p P: Executor<'p>,
{
    let _alone = alone().await;
    set_secrets(&["s3cret"]);
    let db = shared::<P>(source(server));
    let invoke = async || {
        let lease = db.lease().await.expect("a pool");
        let result = SharedLease::get(&lease).execute("select 1").await.map(drop);
        SharedLease::settle(lease, outcome(&result));
        result
    };
    invoke().await.expect("the first invocation");
    // A handler begins after the work that follows a response, which uses the connection.
    a_long_freeze().await;
    rotate("n3w").await;
    set_secrets(&["n3w"]);
    invoke().await.expect("the session outlives its password");
    assert_eq!(calls(), 0);
    // A new connection takes over, with new credentials.
    server.end_sessions().await;
    a_long_freeze().await;
    invoke().await.expect("no invocation fails");
    assert_eq!(calls(), 1);

    // The pool opens its second connection by itself, with the credentials of its first. If an
    // inspection has found the session's end, these are the new ones.
    let invoke_twice_at_once = async || {
        let lease = db.lease().await.expect("a pool");
        let pool = SharedLease::get(&lease);
        let (one, two) = tokio::join!(pool.execute(slow), pool.execute(slow));
        let result = one.and(two);
        SharedLease::settle(lease, outcome(&result));
        result.is_ok()
    };
    if invoke_twice_at_once().await {
        assert_eq!(calls(), 1);
        return;
    }
    assert!(invoke_twice_at_once().await, "a call after the failure");
    assert_eq!(calls(), 2);
}

async fn rotate_postgres(server: &Postgres, password: &str) {
    server
        .execute(&format!("alter role app password '{password}'"))
        .await;
}

async fn rotate_mysql(server: &Mysql, password: &str) {
    server
        .execute(&format!("alter user app@'%' identified by '{password}'"))
        .await;
}

#[tokio::test]
async fn connections_to_postgres_survive_a_rotation() {
    let server = <Postgres as Server>::launch().await;
    let rotate = async |password| rotate_postgres(&server, password).await;
    connections_survive_a_rotation::<PgConnection>(&server, rotate).await;
}

#[tokio::test]
async fn connections_to_mysql_survive_a_rotation() {
    let server = <Mysql as Server>::launch().await;
    let rotate = async |password| rotate_mysql(&server, password).await;
    connections_survive_a_rotation::<MySqlConnection>(&server, rotate).await;
}

#[tokio::test]
async fn a_pool_of_postgres_survives_a_rotation() {
    let server = <Postgres as Server>::launch().await;
    let rotate = async |password| rotate_postgres(&server, password).await;
    a_pool_survives_a_rotation::<PgPool>(&server, rotate, "select pg_sleep(0.3)").await;
}

#[tokio::test]
async fn a_pool_of_mysql_survives_a_rotation() {
    let server = <Mysql as Server>::launch().await;
    let rotate = async |password| rotate_mysql(&server, password).await;
    a_pool_survives_a_rotation::<MySqlPool>(&server, rotate, "do sleep(0.3)").await;
}

/// MariaDB lets the user sign in, and rejects the first statement.
#[tokio::test]
async fn an_expired_password_of_mysql_is_waited_for() {
    let server = <Mysql as Server>::launch().await;
    let _alone = alone().await;
    set_secrets(&["s3cret"]);
    server.execute("alter user app@'%' password expire").await;
    let db = exclusive::<MySqlConnection>(source(&server));
    let renew = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        rotate_mysql(&server, "s3cret").await;
    };
    let (result, ()) = tokio::join!(invoke(db), renew);
    result.expect("the password was renewed");
}
