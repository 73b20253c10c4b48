//! Handlers with the same connection type and an equal source share their connections.

use std::time::Duration;

use lambda_bench::lambda::Event;
use lambda_bench::wait::until;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, Reply};
use reuse_db_tests::on_each_server_and_runtime;

on_each_server_and_runtime! {
    async fn three_handlers_in_two_modules_share_one_connection(server: &impl Server) {
        let function = Function::start(server).await;
        let json = function.invoke("/one-after-the-other").await.json();
        let sessions = json["sessions"].as_array().cloned().unwrap_or_default();
        let is_shared = sessions.iter().all(|session| *session == sessions[0]);
        assert!(sessions.len() == 3 && is_shared, "{json}");
        assert_eq!(function.proxy.connections(), 1);
        assert_eq!(server.sessions().await.len(), 1);
    }

    async fn two_leases_at_once_keep_two_connections(server: &impl Server) {
        let function = Function::start(server).await;
        for _ in 0..3 {
            let json = function.invoke("/two-at-once").await.json();
            assert_ne!(json["sessions"][0], json["sessions"][1]);
        }
        assert_eq!(function.proxy.connections(), 2);
    }

    async fn two_leases_at_once_keep_no_more_than_keep_allows(server: &impl Server) {
        let function = Function::start(server).await;
        function.proxy.delay(Duration::from_millis(30));
        for _ in 0..3 {
            let json = function.invoke("/two-at-once-keep-one").await.json();
            assert_ne!(json["sessions"][0], json["sessions"][1]);
            // The function is frozen: it closed the connection before.
            let closed = async || server.sessions().await.len() == 1;
            until("the end of one session", closed).await;
        }
        assert_eq!(function.proxy.connections(), 4);
    }

    async fn a_transaction_is_committed_if_its_handler_succeeded(server: &impl Server) {
        let function = Function::start(server).await;
        let (mut notes, mut opened) = (0, 0);
        for (how, commits) in [
            ("200", 1), ("404", 0), ("500", 0), ("404", 0), ("fail", 0), ("panic", 0), ("201", 1)
        ] {
            let event = Event::get(&format!("/note?how={how}"));
            let answer = function.sandbox.invoke(event).await;
            notes += commits;
            // A transaction is committed before the response.
            let committed = server.number("select count(*) from notes").await;
            assert_eq!(committed, notes, "{how}: {answer:?}");
            function.sandbox.frozen().await;
            // A server notices by and by that a client has closed its connection.
            until(format!("the end of the transaction after {how}"), async || {
                !server.sessions().await.iter().any(|session| session.in_transaction)
            })
            .await;
            if commits > 0 {
                opened = Reply::of(&answer).stat("opened");
            }
        }
        assert_eq!(opened, 2, "the panic costs one connection");
    }

    async fn a_transaction_shares_the_connection_of_others(server: &impl Server) {
        let function = Function::start(server).await;
        let session = function.add(0).await.session;
        assert_eq!(Reply::of(&function.invoke("/note").await).session, session);
        assert_eq!(function.proxy.connections(), 1);
    }

    async fn a_borrowed_pool_and_a_pool_by_value_are_the_same(server: &impl Server) {
        let function = Function::start(server).await;
        let sum = async |path: String| Reply::of(&function.invoke(&path).await).sum;
        for n in 0..10 {
            assert_eq!(sum(format!("/pool?n={n}")).await, n + 1);
            assert_eq!(sum(format!("/own-pool?n={n}")).await, n + 1);
        }
        assert_eq!(function.proxy.connections(), 1);
        assert_eq!(server.sessions().await.len(), 1);
    }

    /// sqlx pings each connection that returns to its pool, whatever the options of the pool.
    async fn a_pool_adds_nothing_to_the_ping_of_sqlx(server: &impl Server) {
        let function = Function::start(server).await;
        let mut checked = 0;
        for n in 0..20 {
            let before = function.proxy.counts();
            let reply = Reply::of(&function.invoke(&format!("/own-pool?n={n}")).await);
            let round_trips = (function.proxy.counts() - before).round_trips;
            // The first three invocations are inspected.
            if n > 2 && reply.stat("checked") == checked {
                assert_eq!(round_trips, 2, "a statement and a ping");
            }
            checked = reply.stat("checked");
        }
        assert!(checked < 10, "most freezes are shorter than `verify_after`: {checked} checks");
    }
}
