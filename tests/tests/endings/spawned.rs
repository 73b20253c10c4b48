//! An annotated function in a task that the handler did not await.

use std::time::Duration;

use lambda_bench::wait::until;
use reuse_db_tests::descriptors::can_be_duplicated;
use reuse_db_tests::on_each_server;

use super::*;

const TIME_OUT: Duration = Duration::from_secs(2);

on_each_server! {
    async fn the_freeze_waits_for_it(server: &impl Server) {
        let function = scripted(server, "plain", TIME_OUT).await;
        for (n, form) in ["/conn", "/tx", "/pool", "/lease-tx"].into_iter().enumerate() {
            let script = "raw select 1\nsleep 200\ninsert into notes values ('a')";
            function.script(&format!("{form}?spawn=yes"), script).await.ok();
            // The sandbox is frozen.
            let notes = server.number("select count(*) from notes").await;
            assert_eq!(usize::try_from(notes), Ok(n + 1), "{form}");
        }
        let stats = function.script("/conn", "raw select 1").await.ok().json();
        // The connection, and the pool's.
        let events = function.events();
        assert_eq!(stats["stats"]["opened"], 2, "{stats} {events:?}");
        assert!(events.iter().all(|(event, _)| !event.starts_with("WARN")));
    }

    async fn one_that_outlives_its_invocation_does_not_commit(server: &impl Server) {
        let function = scripted(server, "plain", TIME_OUT).await;
        let script = "insert into notes values ('a')\nsleep 1000\nraw select 1";
        function.script("/tx?spawn=yes", script).await.ok();
        // It goes on before the server ends its transaction.
        function.script("/pool", "raw select 1\nsleep 1500").await.ok();
        assert_eq!(server.number("select count(*) from notes").await, 0);
    }

    async fn a_commit_of_its_own_in_a_later_invocation_fails(server: &impl Server) {
        if !can_be_duplicated() {
            return;
        }
        let function = scripted(server, "plain", TIME_OUT).await;
        for form in ["/conn", "/lease", "/pool-tx"] {
            let (begin, commit) = if form == "/pool-tx" {
                ("raw select 1", "raw select 2")
            } else {
                ("raw begin", "raw commit")
            };
            let insert = "insert into notes values ('a')\nsleep 1000";
            let script = format!("{begin}\n{insert}\n{commit}");
            function.script(&format!("{form}?spawn=yes"), &script).await.ok();
            // It goes on before the server ends its transaction.
            function.script("/pool", "raw select 1\nsleep 1500").await.ok();
            assert_eq!(server.number("select count(*) from notes").await, 0, "{form}");
        }
    }

    async fn a_long_one_is_frozen_and_its_transaction_ends(server: &impl Server) {
        let function = scripted(server, "plain", TIME_OUT).await;
        for _ in 0..2 {
            let script = "insert into notes values ('a')\nsleep 1000\nraw select 1";
            function.script("/tx?spawn=yes", script).await.ok();
            until("the end of the transaction", async || {
                let sessions = server.sessions().await;
                !sessions.iter().any(|session| session.in_transaction)
            })
            .await;
            function.script("/tx", "raw select 1").await.ok();
        }
        assert_eq!(server.number("select count(*) from notes").await, 0);
        let events = function.events();
        let warned = events.iter().filter(|(event, _)| event.starts_with("WARN task not awaited"));
        assert_eq!(warned.count(), 1, "{events:?}");
    }
}
