//! Each fault of a server or a network, in the middle of a freeze. The stress test of faults has
//! many more rounds.

use std::time::Duration;

use lambda_bench::lambda::Event;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, Reply, a_long_freeze};
use reuse_db_tests::on_each;

const ROUNDS: i64 = 3;

/// The worst latency of an invocation that replaces its connection: about 600 ms on a quiet
/// machine, of which the health check takes 500 ms.
const IN_TIME: Duration = Duration::from_secs(5);

/// In each round `fault` hits the connection, and the sandbox is frozen for longer than
/// `verify_after`.
async fn survives(server: &impl Server, path: &str, fault: impl AsyncFn(&Function)) {
    let function = Function::start(server).await;
    let first = Reply::of(&function.invoke(&format!("{path}?n=0")).await);
    for n in 1..=ROUNDS {
        fault(&function).await;
        a_long_freeze().await;
        let connections = function.proxy.connections();
        let event = Event::get(&format!("{path}?n={n}"));
        let answer = function.sandbox.invoke(event).await;
        let reply = Reply::of(&answer);
        assert_eq!(reply.sum, n + 1, "round {n}: {answer:?}");
        assert!(answer.took < IN_TIME, "round {n}: {answer:?}");
        let opened = function.proxy.connections() - connections;
        assert_eq!(opened, 1, "round {n}: one connection takes over");
        assert!(
            reply.stat("stale") > first.stat("stale"),
            "round {n}: {reply:?}"
        );
        assert_eq!(reply.stat("unavailable"), 0, "round {n}");
        function.sandbox.frozen().await;
    }
}

on_each! {
    {
        on_postgres Postgres "", on_mysql Mysql "", composed Postgres "composed",
        postgres_over_tls Postgres "tls", mysql_over_tls Mysql "tls"
    }
    async fn a_session_that_the_server_ended_is_replaced(server: &impl Server) {
        survives(server, "/add", async |_| assert_eq!(server.end_sessions().await, 1)).await;
    }

    async fn a_connection_to_a_restarted_server_is_replaced(server: &impl Server) {
        survives(server, "/add", async |_| server.restart().await).await;
    }

    async fn a_connection_that_was_reset_is_replaced(server: &impl Server) {
        survives(server, "/add", async |function: &Function| function.proxy.reset().await).await;
    }

    async fn a_connection_in_a_black_hole_is_replaced(server: &impl Server) {
        survives(server, "/add", async |function: &Function| function.proxy.black_hole()).await;
    }

    async fn a_pools_connection_in_a_black_hole_is_replaced(server: &impl Server) {
        survives(server, "/pool", async |function: &Function| function.proxy.black_hole()).await;
    }

    async fn a_pools_session_that_the_server_ended_is_replaced(server: &impl Server) {
        survives(server, "/pool", async |_| assert_eq!(server.end_sessions().await, 1)).await;
    }

    async fn a_transactions_connection_in_a_black_hole_is_replaced(server: &impl Server) {
        survives(server, "/note", async |function: &Function| function.proxy.black_hole()).await;
    }
}
