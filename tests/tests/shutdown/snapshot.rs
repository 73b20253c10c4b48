//! A snapshot (SnapStart) contains no connection.

use std::time::Duration;

use lambda_bench::lambda::{Builder, Event, Sandbox};
use lambda_bench::proxy::Proxy;
use lambda_bench::servers::Postgres;
use lambda_bench::wait::until;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, program};

/// The process is frozen: a session that is open now stays open.
async fn no_session_is_open(server: &impl Server) {
    until("the end of every session", async || {
        server.sessions().await.is_empty()
    })
    .await;
}

/// `init` is the function's work in its initialization, and `run` its runtime.
async fn no_connection_is_in_the_snapshot(init: &str, run: &str) {
    let server = <Postgres as Server>::launch().await;
    let env = [("INIT", init), ("RUN", run)];
    let function =
        Function::start_sandbox(program("function"), &server, &env, Builder::snap_start).await;
    function.sandbox.frozen().await;
    no_session_is_open(&server).await;
    let opened = u64::from(init == "lease");
    assert_eq!(function.proxy.connections(), opened, "`warm` opens none");
    let reply = function.add(1).await;
    let after = reply.stat("opened");
    assert_eq!(after, opened + 1, "a restored sandbox opens its own");
    assert_eq!(function.add(2).await.session, reply.session);
    assert_eq!(server.sessions().await.len(), 1);
}

#[tokio::test]
async fn a_leased_connection_is_closed_before_the_snapshot() {
    no_connection_is_in_the_snapshot("lease", "").await;
}

#[tokio::test]
async fn a_leased_connection_is_closed_before_the_snapshot_of_a_composed_runtime() {
    no_connection_is_in_the_snapshot("lease", "composed").await;
}

#[tokio::test]
async fn warm_opens_no_connection_before_a_snapshot() {
    no_connection_is_in_the_snapshot("warm", "").await;
}

#[tokio::test]
async fn warm_opens_no_connection_before_the_snapshot_of_a_composed_runtime() {
    no_connection_is_in_the_snapshot("warm", "composed").await;
}

/// Background work returns the connection to its pool while the other connections are closed.
#[tokio::test]
async fn a_connection_in_a_check_is_closed_before_the_snapshot() {
    let server = <Postgres as Server>::launch().await;
    let proxy = Proxy::start(server.addr()).await;
    proxy.delay(Duration::from_millis(10));
    let sandbox = Sandbox::builder(program("function"))
        .env("DATABASE_URL", server.url_at(proxy.port()))
        .env("INIT", "fail")
        .snap_start()
        .start()
        .await;
    sandbox.frozen().await;
    assert_eq!(proxy.connections(), 1);
    no_session_is_open(&server).await;
    sandbox.invoke(Event::get("/add?n=1")).await.ok();
}
