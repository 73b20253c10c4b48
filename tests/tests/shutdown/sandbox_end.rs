//! A sandbox that ends leaves no session on the server.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod function;

use std::time::Duration;

use function::Function;
use function::server::Server;
use lambda_bench::lambda::{Event, Sandbox};
use lambda_bench::proxy::Proxy;
use lambda_bench::wait::until;
use tokio::time::timeout;

const FUNCTION: &str = env!("CARGO_BIN_EXE_function");
const SANDBOXES: usize = 20;

/// Twenty frozen sandboxes, each with a connection, that all end: `SIGTERM` if an extension is
/// registered, and `SIGKILL` half a second later. Answers how many sessions the server has a second
/// after that.
///
/// The server does not hear of a client's end, as of a host that is gone.
async fn sessions_left(server: &impl Server, program: &str) -> usize {
    let proxy = Proxy::start(server.addr()).await;
    proxy.swallow_client_end(true);
    let mut sandboxes = Vec::new();
    for _ in 0..SANDBOXES {
        let sandbox = Sandbox::builder(program)
            .env("DATABASE_URL", server.url_at(proxy.port()))
            .timeout(Duration::from_secs(10))
            .start()
            .await;
        sandbox.invoke(Event::get("/add?n=1")).await.ok();
        sandbox.frozen().await;
        sandboxes.push(sandbox);
    }
    let sessions = server.sessions().await.len();
    assert!(sessions >= SANDBOXES, "{sessions}");
    let ends: Vec<_> = sandboxes
        .into_iter()
        .map(|sandbox| tokio::spawn(async move { sandbox.shutdown().await }))
        .collect();
    for end in ends {
        end.await.expect("it ends");
    }
    let gone = until("the end of all sessions", async || {
        server.sessions().await.is_empty()
    });
    // Some may be left, which is for the caller to judge.
    let _ = timeout(Duration::from_secs(1), gone).await;
    server.sessions().await.len()
}

on_each_server! {
    async fn of_twenty_sandboxes_no_session_is_left(server: &impl Server) {
        assert_eq!(sessions_left(server, FUNCTION).await, 0);
    }

    /// So it is ours that makes the difference.
    async fn with_a_pool_by_hand_all_are_left(server: &impl Server) {
        let left = sessions_left(server, env!("CARGO_BIN_EXE_by_hand")).await;
        assert!(left >= SANDBOXES, "{left}");
    }
}

on_each_server_and_runtime! {
    /// That of a pool too; and what `main` does after the run is done.
    async fn every_connection_of_every_static_is_closed(server: &impl Server) {
        let function = Function::start(server).await;
        function.proxy.swallow_client_end(true);
        function.add(1).await;
        function.invoke("/own-pool?n=1").await.ok();
        assert_eq!(server.sessions().await.len(), 2);
        let status = function.sandbox.shutdown().await;
        assert_eq!(status.code(), Some(0), "{:?}", function.sandbox);
        until("the end of both sessions", async || server.sessions().await.is_empty()).await;
        assert!(function.sandbox.output().contains("after the run: Ok"), "{:?}", function.sandbox);
    }

    async fn a_server_that_is_silent_is_not_waited_for(server: &impl Server) {
        let function = Function::start(server).await;
        function.add(1).await;
        // A pool waits for a connection that is on its way back to it, in the ping of its release.
        function.invoke("/own-pool?n=1&how=last-words").await.ok();
        function.proxy.stall_after("last words");
        function.invoke("/own-pool?n=1&how=last-words").await.ok();
        function.proxy.black_hole();
        let status = function.sandbox.shutdown().await;
        assert_eq!(status.code(), Some(0), "not killed: {:?}", function.sandbox);
    }

    async fn one_without_a_connection_ends_too(server: &impl Server) {
        let function = Function::start(server).await;
        function.sandbox.frozen().await;
        let status = function.sandbox.shutdown().await;
        assert_eq!(status.code(), Some(0), "{:?}", function.sandbox);
    }

    async fn without_an_extension_it_serves_and_is_killed(server: &impl Server) {
        let function = Function::start_sandbox(FUNCTION, server, &[], |sandbox| sandbox.extensions(false)).await;
        function.add(1).await;
        let status = function.sandbox.shutdown().await;
        assert_eq!(status.code(), None, "{:?}", function.sandbox);
    }

    /// From whoever sends it: a signal that is listened to does not end a process by itself.
    async fn without_an_extension_it_still_ends_on_sigterm(server: &impl Server) {
        let function = Function::start_sandbox(FUNCTION, server, &[], |sandbox| sandbox.extensions(false)).await;
        function.proxy.swallow_client_end(true);
        function.add(1).await;
        let status = function.sandbox.terminate().await;
        assert_eq!(status.code(), Some(0), "{:?}", function.sandbox);
        until("the end of the session", async || server.sessions().await.is_empty()).await;
    }
}

on_each_server! {
    async fn a_graceful_shutdown_of_the_users_own_calls_ours(server: &impl Server) {
        let function = Function::start_with(server, &[("RUN", "own-shutdown")]).await;
        function.proxy.swallow_client_end(true);
        function.add(1).await;
        function.invoke("/own-pool?n=1").await.ok();
        let status = function.sandbox.shutdown().await;
        assert_eq!(status.code(), Some(0), "{:?}", function.sandbox);
        until("the end of both sessions", async || server.sessions().await.is_empty()).await;
    }
}
