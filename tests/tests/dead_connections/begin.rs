//! A `&mut Transaction` parameter: if BEGIN finds a trusted connection dead, a new connection takes
//! over. So does the health check of a connection whose socket shows its end.

use std::time::{Duration, Instant};

use lambda_bench::proxy::Proxy;
use lambda_bench::servers::{Mysql, PgBouncer, Postgres};
use lambda_bench::wait::within;
use reuse_db::{Error, ErrorKind, Exclusive, Finish as _, FromConnection, Lease, Outcome};
use reuse_db_tests::function::server::Server;
use reuse_db_tests::statics::{exclusive, source};
use sqlx::{Any, AnyConnection, MySql, PgConnection, Transaction};

/// Makes each connection trusted, in whatever state.
const ALWAYS_TRUSTED: Duration = Duration::from_secs(600);

async fn transact<H: FromConnection + 'static>(db: &'static Exclusive<H>) -> Result<(), Error> {
    let mut lease = within("a lease", db.lease()).await?;
    let open = within("a transaction", Lease::open(&mut lease)).await?;
    open.finish(Outcome::Success).await?;
    Lease::settle(lease, Outcome::Success);
    Ok(())
}

async fn is_replaced<S: Server, H: FromConnection + 'static>() {
    let server = S::launch().await;
    let proxy = Proxy::start(server.addr()).await;
    let url = server.url_at(proxy.port());
    let db = exclusive::<H>(source(url).verify_after(ALWAYS_TRUSTED));
    // Each of the first three successes is inspected in the background.
    for _ in 0..4 {
        transact(db).await.expect("a transaction");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
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
        let (begun, checked) = (Instant::now(), db.stats().checked);
        transact(db)
            .await
            .unwrap_or_else(|error| panic!("{fault}: {error}"));
        assert!(begun.elapsed() < Duration::from_secs(5), "{fault}");
        let (stats, nth) = (db.stats(), nth as u64 + 1);
        assert_eq!((stats.stale, stats.opened), (nth, nth + 1), "{fault}");
        if fault == "black hole" {
            assert_eq!(stats.checked, checked, "the connection was trusted");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_dead_connection_is_replaced_at_begin_on_postgres() {
    is_replaced::<Postgres, Transaction<'_, sqlx::Postgres>>().await;
}

#[tokio::test]
async fn a_dead_connection_is_replaced_at_begin_on_mysql() {
    is_replaced::<Mysql, Transaction<'_, MySql>>().await;
}

#[tokio::test]
async fn a_dead_connection_is_replaced_at_begin_on_any() {
    is_replaced::<Postgres, Transaction<'_, Any>>().await;
}

#[tokio::test]
async fn a_begin_without_a_server_is_unavailable() {
    let server = Postgres::start().await;
    let source = source(server.url())
        .verify_after(ALWAYS_TRUSTED)
        .connect_timeout(Duration::from_secs(1));
    let db = exclusive::<Transaction<'_, sqlx::Postgres>>(source);
    transact(db).await.expect("the first transaction");
    server.stop().await;
    let error = transact(db).await.expect_err("the server is down");
    assert_eq!(error.kind(), Some(ErrorKind::Unavailable), "{error}");
    assert!(error.to_string().contains("Connection refused"), "{error}");
    server.start_again().await;
    transact(db).await.expect("the server is back");
}

/// PgBouncer accepts a client before it has a session for the client's transaction.
#[tokio::test]
async fn a_begin_on_a_full_pooler_is_saturated() {
    let postgres = Postgres::start().await;
    let bouncer = PgBouncer::builder()
        .setting("default_pool_size", "1")
        .setting("query_wait_timeout", "1")
        .start(&postgres)
        .await;
    let source = source(bouncer.url()).transaction_pooler();
    let db = exclusive::<Transaction<'_, sqlx::Postgres>>(source);
    let mut first = db.lease().await.expect("a lease");
    let held = Lease::open(&mut first).await.expect("the only session");
    let error = transact(db).await.expect_err("no session is left");
    assert_eq!(error.kind(), Some(ErrorKind::Saturated), "{error}");
    assert!(error.to_string().contains("query_wait_timeout"), "{error}");
    drop(held);
    Lease::settle(first, Outcome::Success);
    transact(db).await.expect("the session is free again");
}

#[tokio::test]
async fn a_plain_connection_is_neither_begun_nor_replaced() {
    let server = Postgres::start().await;
    let proxy = Proxy::start(server.addr()).await;
    let url = server.url_at(proxy.port());
    let source = source(url).verify_after(ALWAYS_TRUSTED);
    let db = exclusive::<PgConnection>(source);
    // Each of the first three successes is inspected in the background.
    for _ in 0..4 {
        transact(db).await.expect("a lease");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    proxy.black_hole();
    transact(db).await.expect("no statement is sent");
    assert_eq!(db.stats().opened, 1);
    transact(exclusive::<AnyConnection>(source))
        .await
        .expect("a lease of another driver");
}
