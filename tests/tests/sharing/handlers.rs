//! Handlers of the same connection and source share it; transactions are lent, committed and rolled
//! back on it.

mod function;

use std::time::Duration;

use function::server::Server;
use function::{Function, Reply};
use lambda_bench::lambda::Event;
use lambda_bench::wait::until;

on_each_server_and_runtime! {
    async fn three_handlers_in_two_modules_share_one_connection(server: &impl Server) {
        let function = Function::start(server).await;
        let json = function.invoke("/one-after-the-other").await.json();
        let sessions = json["sessions"].as_array().cloned().unwrap_or_default();
        assert!(sessions.len() == 3 && sessions.iter().all(|session| *session == sessions[0]), "{json}");
        assert_eq!(function.proxy.connections(), 1);
        assert_eq!(server.sessions().await.len(), 1);
    }

    async fn two_at_once_use_two_connections_and_both_are_kept(server: &impl Server) {
        let function = Function::start(server).await;
        for _ in 0..3 {
            let json = function.invoke("/two-at-once").await.json();
            assert_ne!(json["sessions"][0], json["sessions"][1]);
        }
        assert_eq!(function.proxy.connections(), 2);
    }

    async fn two_at_once_use_two_connections_and_no_more_than_keep_are_kept(server: &impl Server) {
        let function = Function::start(server).await;
        function.proxy.delay(Duration::from_millis(30));
        for _ in 0..3 {
            let json = function.invoke("/two-at-once-keep-one").await.json();
            assert_ne!(json["sessions"][0], json["sessions"][1]);
            // It is frozen: what the server hears of a close was sent before.
            until("the end of one session", async || server.sessions().await.len() == 1).await;
        }
        assert_eq!(function.proxy.connections(), 4);
    }

    async fn a_transaction_is_committed_if_its_handler_succeeded(server: &impl Server) {
        let function = Function::start(server).await;
        let mut notes = 0;
        for (how, commits) in [("200", 1), ("404", 0), ("500", 0), ("fail", 0), ("panic", 0), ("201", 1)] {
            let answer = function.sandbox.invoke(Event::get(&format!("/note?how={how}"))).await;
            notes += commits;
            // Before the response, not before the freeze.
            assert_eq!(server.number("select count(*) from notes").await, notes, "{how}: {answer:?}");
            function.sandbox.frozen().await;
            let sessions = server.sessions().await;
            assert!(sessions.iter().all(|session| !session.in_transaction), "{how}: {sessions:?}");
        }
        // The panic cost a connection, the others none.
        assert_eq!(function.proxy.connections(), 2);
    }

    async fn a_transaction_shares_the_connection_of_others(server: &impl Server) {
        let function = Function::start(server).await;
        let session = function.add(0).await.session;
        assert_eq!(Reply::of(&function.invoke("/note").await).session, session);
        assert_eq!(function.proxy.connections(), 1);
    }

    async fn a_pool_borrowed_and_one_by_value_are_the_same(server: &impl Server) {
        let function = Function::start(server).await;
        for n in 0..10 {
            assert_eq!(Reply::of(&function.invoke(&format!("/pool?n={n}")).await).sum, n + 1);
            assert_eq!(Reply::of(&function.invoke(&format!("/own-pool?n={n}")).await).sum, n + 1);
        }
        assert_eq!(function.proxy.connections(), 1);
    }

    /// sqlx pings each connection that it gets back, whatever its options say; nothing is added to
    /// that.
    async fn a_pool_adds_nothing_to_what_sqlx_does(server: &impl Server) {
        let function = Function::start(server).await;
        let mut checked = 0;
        for n in 0..20 {
            let before = function.proxy.counts();
            let reply = Reply::of(&function.invoke(&format!("/own-pool?n={n}")).await);
            let round_trips = (function.proxy.counts() - before).round_trips;
            if n > 0 && reply.stat("checked") == checked {
                assert_eq!(round_trips, 2, "a statement, and a ping when the connection is given back");
            }
            checked = reply.stat("checked");
        }
        assert!(checked < 5, "{checked}");
    }
}
