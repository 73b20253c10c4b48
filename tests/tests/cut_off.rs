//! After a panic, and after a query that was cut off, the next invocation has a sound connection.

mod function;

use std::time::Duration;

use function::Function;
use function::server::Server;
use reuse_db_tests::lambda::Event;
use tokio::time::sleep;

async fn recovers_from(server: &impl Server, how: &str) {
    let function = Function::start(server).await;
    function.add(0).await;
    for n in 1..=5 {
        function
            .sandbox
            .invoke(Event::get(&format!("/end?how={how}")))
            .await;
        function.add(n).await;
        // What the server may take to see that a session's client has gone.
        sleep(Duration::from_secs(1)).await;
        let sessions = server.sessions().await;
        assert_eq!(sessions.len(), 1, "{how}, round {n}: {sessions:?}");
        assert_eq!(
            function.add(n).await.session,
            sessions[0].pid,
            "{how}, round {n}"
        );
    }
}

on_each_server! {
    async fn a_panic(server: &impl Server) {
        recovers_from(server, "panic").await;
    }

    /// The handler gives up its query, and succeeds.
    async fn a_query_that_was_cut_off(server: &impl Server) {
        recovers_from(server, "cut").await;
    }

    /// The handler itself is given up.
    async fn a_handler_that_was_cut_off(server: &impl Server) {
        recovers_from(server, "cut-off").await;
    }

    async fn a_failure(server: &impl Server) {
        recovers_from(server, "fail").await;
    }
}
