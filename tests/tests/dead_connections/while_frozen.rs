//! What happens to a connection while its sandbox is frozen fails no invocation.

mod function;

use std::time::Duration;

use function::server::Server;
use function::{Function, Reply, a_long_freeze};
use lambda_bench::lambda::Event;

/// Fewer over TLS, which is the same but for what sqlx does to a dead connection.
fn rounds() -> i64 {
    if function::RUN.get() == "tls" { 4 } else { 20 }
}

/// In each round the sandbox is frozen for longer than `verify_after`, and `fault` befalls it
/// meanwhile.
async fn survives(server: &impl Server, path: &str, fault: impl AsyncFn(&Function)) {
    let function = Function::start(server).await;
    Reply::of(&function.invoke(&format!("{path}?n=0")).await);
    for n in 1..=rounds() {
        fault(&function).await;
        a_long_freeze().await;
        let connections = function.proxy.connections();
        let answer = function
            .sandbox
            .invoke(Event::get(&format!("{path}?n={n}")))
            .await;
        let reply = Reply::of(&answer);
        assert_eq!(reply.sum, n + 1, "round {n}: {answer:?}");
        assert!(
            answer.took < Duration::from_secs(2),
            "round {n}: {answer:?}"
        );
        assert_eq!(
            function.proxy.connections(),
            connections + 1,
            "round {n} opened one connection"
        );
        assert_eq!(reply.stat("unavailable"), 0, "round {n}");
        function.sandbox.frozen().await;
    }
}

on_each! {
    {
        on_postgres Postgres "", on_mariadb Mariadb "", composed Postgres "composed",
        postgres_over_tls Postgres "tls", mariadb_over_tls Mariadb "tls"
    }
    async fn the_server_ends_the_session(server: &impl Server) {
        survives(server, "/add", async |_| assert_eq!(server.end_sessions().await, 1)).await;
    }

    async fn the_server_restarts(server: &impl Server) {
        survives(server, "/add", async |_| server.restart().await).await;
    }

    async fn the_proxy_resets(server: &impl Server) {
        survives(server, "/add", async |function: &Function| function.proxy.reset().await).await;
    }

    async fn the_flow_is_black_holed(server: &impl Server) {
        survives(server, "/add", async |function: &Function| function.proxy.black_hole()).await;
    }

    async fn the_flow_of_a_pool_is_black_holed(server: &impl Server) {
        survives(server, "/pool", async |function: &Function| function.proxy.black_hole()).await;
    }

    async fn the_server_ends_the_session_of_a_pool(server: &impl Server) {
        survives(server, "/pool", async |_| assert_eq!(server.end_sessions().await, 1)).await;
    }

    async fn the_flow_of_a_transaction_is_black_holed(server: &impl Server) {
        survives(server, "/note", async |function: &Function| function.proxy.black_hole()).await;
    }
}
