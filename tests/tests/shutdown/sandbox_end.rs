//! A sandbox that ends leaves no session on the server.

use std::path::Path;
use std::time::Duration;

use lambda_bench::lambda::{Event, Sandbox};
use lambda_bench::proxy::Proxy;
use lambda_bench::wait::until;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, program};
use reuse_db_tests::{on_each_server, on_each_server_and_runtime};
use tokio::time::timeout;

const SANDBOXES: usize = 20;

/// Ends twenty frozen sandboxes with a connection each, as Lambda does: `SIGTERM` if an extension
/// is registered, and `SIGKILL` 500 ms later. Returns the number of sessions that the server has a
/// second after that.
///
/// No FIN or RST reaches the server, as from a host that is gone.
async fn sessions_left(server: &impl Server, program: &Path) -> usize {
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
        end.await.expect("the end of a sandbox");
    }
    let gone = until("the end of all sessions", async || {
        server.sessions().await.is_empty()
    });
    // The caller decides whether sessions may be left.
    let _ = timeout(Duration::from_secs(1), gone).await;
    server.sessions().await.len()
}

/// Starts the function in a sandbox where no extension can be registered.
async fn without_extensions(server: &impl Server) -> Function {
    Function::start_sandbox(program("function"), server, &[], |sandbox| {
        sandbox.extensions(false)
    })
    .await
}

on_each_server! {
    async fn twenty_sandboxes_leave_no_session(server: &impl Server) {
        assert_eq!(sessions_left(server, &program("function")).await, 0);
    }

    /// The counter-check: reuse-db makes the difference.
    async fn twenty_sandboxes_with_a_static_pool_leave_every_session(server: &impl Server) {
        let left = sessions_left(server, &program("with_static_pool")).await;
        assert!(left >= SANDBOXES, "{left}");
    }
}

on_each_server_and_runtime! {
    /// `main` goes on after the run.
    async fn every_connection_of_every_static_is_closed(server: &impl Server) {
        let function = Function::start(server).await;
        function.proxy.swallow_client_end(true);
        function.add(1).await;
        function.invoke("/own-pool?n=1").await.ok();
        assert_eq!(server.sessions().await.len(), 2);
        let status = function.sandbox.shutdown().await;
        assert_eq!(status.code(), Some(0), "{:?}", function.sandbox);
        let closed = async || server.sessions().await.is_empty();
        until("the end of both sessions", closed).await;
        let output = function.sandbox.output();
        assert!(output.contains("after the run: Ok"), "{output}");
    }

    async fn a_silent_server_does_not_delay_the_shutdown(server: &impl Server) {
        let function = Function::start(server).await;
        function.add(1).await;
        // The ping of sqlx in the release of the pool's connection gets no answer.
        function.invoke("/own-pool?n=1&how=last-words").await.ok();
        function.proxy.stall_after("last words");
        function.invoke("/own-pool?n=1&how=last-words").await.ok();
        function.proxy.black_hole();
        let status = function.sandbox.shutdown().await;
        assert_eq!(status.code(), Some(0), "the process was not killed: {:?}", function.sandbox);
    }

    async fn a_sandbox_without_a_connection_ends(server: &impl Server) {
        let function = Function::start(server).await;
        function.sandbox.frozen().await;
        let status = function.sandbox.shutdown().await;
        assert_eq!(status.code(), Some(0), "{:?}", function.sandbox);
    }

    async fn a_sandbox_without_extensions_serves_and_is_killed(server: &impl Server) {
        let function = without_extensions(server).await;
        function.add(1).await;
        let status = function.sandbox.shutdown().await;
        assert_eq!(status.code(), None, "{:?}", function.sandbox);
    }

    /// A signal with a handler does not end a process by itself.
    async fn a_sandbox_without_extensions_ends_on_sigterm(server: &impl Server) {
        let function = without_extensions(server).await;
        function.proxy.swallow_client_end(true);
        function.add(1).await;
        let status = function.sandbox.terminate().await;
        assert_eq!(status.code(), Some(0), "{:?}", function.sandbox);
        let closed = async || server.sessions().await.is_empty();
        until("the end of the session", closed).await;
    }
}

on_each_server! {
    async fn a_users_own_shutdown_handler_closes_every_connection(server: &impl Server) {
        let function = Function::start_with(server, &[("RUN", "own-shutdown")]).await;
        function.proxy.swallow_client_end(true);
        function.add(1).await;
        function.invoke("/own-pool?n=1").await.ok();
        let status = function.sandbox.shutdown().await;
        assert_eq!(status.code(), Some(0), "{:?}", function.sandbox);
        let closed = async || server.sessions().await.is_empty();
        until("the end of both sessions", closed).await;
    }
}
