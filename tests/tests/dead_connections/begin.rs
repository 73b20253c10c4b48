//! A transaction's BEGIN is ours: what it meets is no failure of the handler's.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod function;

use std::time::{Duration, Instant};

use function::server::Server;
use lambda_bench::proxy::Proxy;
use lambda_bench::servers::{Mariadb, PgBouncer, Postgres};
use lambda_bench::wait::within;
use reuse_db::{Error, ErrorKind, Exclusive, Finish as _, FromConnection, Lease, Outcome, Source};
use sqlx::{Any, AnyConnection, MySql, PgConnection, Transaction};

/// One that trusts its connections whatever happens to them.
fn parked<H: FromConnection>(url: String) -> &'static Exclusive<H> {
    let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE").or(url.leak());
    let source = source.verify_after(Duration::from_secs(600));
    Box::leak(Box::new(Exclusive::new(source)))
}

async fn transact<H: FromConnection + 'static>(db: &'static Exclusive<H>) -> Result<(), Error> {
    let mut lease = within("a lease", db.lease()).await?;
    let open = within("a transaction", Lease::open(&mut lease)).await?;
    open.finish(Outcome::Success).await?;
    Lease::settle(lease, Outcome::Success);
    Ok(())
}

/// A connection that is trusted dies, and the next transaction is on another.
async fn is_replaced<S: Server, H: FromConnection + 'static>() {
    let server = S::launch().await;
    let proxy = Proxy::start(server.addr()).await;
    let db = parked::<H>(server.url_at(proxy.port()));
    transact(db).await.expect("the first");
    for (nth, fault) in ["session ended", "reset", "restarted", "black hole"]
        .into_iter()
        .enumerate()
    {
        match fault {
            "session ended" => assert_eq!(server.end_sessions().await, 1),
            "reset" => proxy.reset().await,
            "restarted" => server.restart().await,
            _ => proxy.black_hole(),
        }
        let begun = Instant::now();
        transact(db)
            .await
            .unwrap_or_else(|error| panic!("{fault}: {error}"));
        assert!(begun.elapsed() < Duration::from_secs(4), "{fault}");
        let (stats, nth) = (db.stats(), nth as u64 + 1);
        assert_eq!((stats.stale, stats.opened), (nth, nth + 1), "{fault}");
        assert_eq!(stats.checked, 0, "{fault}: it was trusted");
    }
}

#[tokio::test]
async fn a_dead_connection_is_replaced_on_postgres() {
    is_replaced::<Postgres, Transaction<'_, sqlx::Postgres>>().await;
}

#[tokio::test]
async fn a_dead_connection_is_replaced_on_mariadb() {
    is_replaced::<Mariadb, Transaction<'_, MySql>>().await;
}

#[tokio::test]
async fn a_dead_connection_is_replaced_on_any() {
    is_replaced::<Postgres, Transaction<'_, Any>>().await;
}

/// Where a server cannot be reached, it is a refusal like another, which `run` answers with a 503.
#[tokio::test]
async fn a_server_that_is_gone_is_unavailable() {
    let server = Postgres::start().await;
    let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE")
        .or(server.url().leak())
        .verify_after(Duration::from_secs(600))
        .connect_timeout(Duration::from_secs(1));
    let db: &Exclusive<Transaction<'_, sqlx::Postgres>> =
        Box::leak(Box::new(Exclusive::new(source)));
    transact(db).await.expect("the first");
    server.stop().await;
    let error = transact(db).await.expect_err("it is gone");
    assert_eq!(error.kind(), Some(ErrorKind::Unavailable), "{error}");
    assert!(error.to_string().contains("Connection refused"), "{error}");
    server.start_again().await;
    transact(db).await.expect("it is back");
}

/// PgBouncer lets a client in, and has no session for its transaction.
#[tokio::test]
async fn a_full_pooler_is_met_at_begin_and_is_saturated() {
    let postgres = Postgres::start().await;
    let bouncer = PgBouncer::builder()
        .setting("default_pool_size", "1")
        .setting("query_wait_timeout", "1")
        .start(&postgres)
        .await;
    let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE")
        .or(bouncer.url().leak())
        .transaction_pooler();
    let db: &Exclusive<Transaction<'_, sqlx::Postgres>> =
        Box::leak(Box::new(Exclusive::new(source)));
    let mut first = db.lease().await.expect("a lease");
    let held = Lease::open(&mut first).await.expect("the only session");
    let error = transact(db).await.expect_err("no session is left");
    assert_eq!(error.kind(), Some(ErrorKind::Saturated), "{error}");
    assert!(error.to_string().contains("query_wait_timeout"), "{error}");
    drop(held);
    Lease::settle(first, Outcome::Success);
    transact(db).await.expect("it is free again");
}

/// A statement of the handler's own is never sent again, nor its connection replaced under it.
#[tokio::test]
async fn what_is_no_transaction_is_not_begun() {
    let server = Postgres::start().await;
    let db = parked::<PgConnection>(server.url());
    transact(db).await.expect("the first");
    server.end_sessions().await;
    transact(db).await.expect("nothing is sent");
    assert_eq!(db.stats().opened, 1);
    let any = parked::<AnyConnection>(server.url());
    transact(any).await.expect("another driver");
}
