//! What is done before the first invocation: warming up, and a snapshot.

mod function;

use std::time::Duration;

use function::Function;
use function::server::Server;
use lambda_bench::lambda::{Builder, Event, Sandbox};
use lambda_bench::proxy::Proxy;
use lambda_bench::servers::Postgres;
use lambda_bench::wait::until;

#[tokio::test]
async fn a_warm_sandbox_has_its_connection_before_the_first_invocation() {
    for run in ["", "composed"] {
        let server = <Postgres as Server>::launch().await;
        let function = Function::start_with(&server, &[("INIT", "warm"), ("RUN", run)]).await;
        function.sandbox.frozen().await;
        assert_eq!(
            server.sessions().await.len(),
            2,
            "a connection's and a pool's"
        );
        let before = function.proxy.counts();
        let reply = function.add(1).await;
        let since = function.proxy.counts() - before;
        // Two statements, each prepared; and a check, if this machine was slow.
        assert_eq!(since.connections, 0);
        assert_eq!(since.round_trips, 4 + reply.stat("checked"));
        assert_eq!((reply.stat("opened"), reply.stat("reused")), (2, 1));
    }
}

#[tokio::test]
async fn one_that_cannot_be_warmed_serves_when_it_can_be() {
    let server = <Postgres as Server>::launch().await;
    server.stop().await;
    let function = Function::start_with(&server, &[("INIT", "warm")]).await;
    function.sandbox.frozen().await;
    assert!(function.proxy.connections() > 0, "it was tried");
    assert!(
        function.sandbox.output().contains("unavailable"),
        "it is logged: {:?}",
        function.sandbox
    );
    server.start_again().await;
    assert_eq!(function.add(7).await.stat("opened"), 1);
    assert_eq!(function.sandbox.starts(), 1);
}

#[tokio::test]
async fn no_connection_is_in_a_snapshot() {
    for (init, run) in [
        ("lease", ""),
        ("warm", ""),
        ("lease", "composed"),
        ("warm", "composed"),
    ] {
        let server = <Postgres as Server>::launch().await;
        let function = Function::start_sandbox(
            env!("CARGO_BIN_EXE_function"),
            &server,
            &[("INIT", init), ("RUN", run)],
            Builder::snap_start,
        )
        .await;
        function.sandbox.frozen().await;
        // The process is stopped: what the server still has it would have for ever.
        until("the end of what was opened", async || {
            server.sessions().await.is_empty()
        })
        .await;
        let opened = u64::from(init == "lease");
        assert_eq!(
            function.proxy.connections(),
            opened,
            "{init}: warming up is left out"
        );
        let reply = function.add(1).await;
        assert_eq!(
            reply.stat("opened"),
            opened + 1,
            "{init}: a new one after the restore"
        );
        assert_eq!(
            function.add(2).await.session,
            reply.session,
            "{init}: and it is kept"
        );
        assert_eq!(server.sessions().await.len(), 1);
    }
}

/// What is owed to a connection parks it while the others are being closed already.
#[tokio::test]
async fn nor_one_that_was_being_checked() {
    let server = <Postgres as Server>::launch().await;
    let proxy = Proxy::start(server.addr()).await;
    proxy.delay(Duration::from_millis(10));
    let sandbox = Sandbox::builder(env!("CARGO_BIN_EXE_function"))
        .env("DATABASE_URL", server.url_at(proxy.port()))
        .env("INIT", "fail")
        .snap_start()
        .start()
        .await;
    sandbox.frozen().await;
    assert_eq!(proxy.connections(), 1);
    until("the end of what was opened", async || {
        server.sessions().await.is_empty()
    })
    .await;
    sandbox.invoke(Event::get("/add?n=1")).await.ok();
}
