//! A warm invocation adds nothing to the wire: one connection serves all invocations, across
//! freezes.

use lambda_bench::servers::Postgres;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, a_long_freeze};
use reuse_db_tests::on_each_server_and_runtime;

/// The statements of the route `/add`.
const STATEMENTS: u64 = 2;

on_each_server_and_runtime! {
    async fn a_hundred_invocations_share_one_connection(server: &impl Server) {
        let function = Function::start(server).await;
        let session = function.add(0).await.session;
        let (mut checked, mut all, mut unseen) = (0, 0, 0);
        for n in 1..100 {
            let (reply, round_trips) = function.add_counting(n).await;
            assert_eq!((reply.session, reply.stat("opened")), (session, 1), "invocation {n}");
            // On a busy machine a freeze may last for longer than `verify_after`. The function
            // counts its health checks. An inspection after the response is seen by the next reply.
            let checks = reply.stat("checked") - checked;
            checked += checks;
            let before_response = STATEMENTS + checks;
            unseen += round_trips - before_response;
            assert!(round_trips <= before_response + 1, "invocation {n}");
            all = reply.stat("inspected");
        }
        assert!((all - 1..=all).contains(&unseen), "{unseen} of {all} inspections");
        assert!(all < 10, "inspections are rare: {all}");
        assert_eq!(function.proxy.connections(), 1);
        assert_eq!(function.sandbox.freezes(), 100);
        assert!(checked < 50, "most freezes are shorter than `verify_after`: {checked} checks");
    }

    async fn a_check_after_a_long_freeze_is_one_round_trip(server: &impl Server) {
        let function = Function::start(server).await;
        function.add(0).await;
        for n in 1..=3 {
            a_long_freeze().await;
            let (reply, round_trips) = function.add_counting(n).await;
            // The first three successes are inspected after the response.
            assert_eq!(round_trips, STATEMENTS + 1 + u64::from(n < 3), "invocation {n}");
            let checked = u64::try_from(n).unwrap_or(0);
            assert_eq!((reply.stat("checked"), reply.stat("opened")), (checked, 1));
        }
    }

    async fn connections_are_reused_under_a_plain_lambda_http_run(server: &impl Server) {
        let function = Function::start_with(server, &[("RUN", "lambda_http")]).await;
        let session = function.add(0).await.session;
        for n in 1..20 {
            assert_eq!(function.add(n).await.session, session);
        }
        assert_eq!(function.proxy.connections(), 1);
    }
}

#[tokio::test]
async fn a_warmed_sandbox_has_its_connection_before_the_first_invocation() {
    for run in ["", "composed"] {
        let server = <Postgres as Server>::launch().await;
        let function = Function::start_with(&server, &[("INIT", "warm"), ("RUN", run)]).await;
        function.sandbox.frozen().await;
        let sessions = server.sessions().await.len();
        assert_eq!(sessions, 2, "a connection's and a pool's");
        let before = function.proxy.counts();
        let reply = function.add(1).await;
        let since = function.proxy.counts() - before;
        // Each statement is prepared once. A slow machine adds a health check.
        assert_eq!(since.connections, 0);
        // An inspection follows the response. The first one for a server takes two more round
        // trips, unless the pool's was first.
        let before_response = 2 * STATEMENTS + reply.stat("checked");
        let inspection = since.round_trips - before_response;
        assert!((1..=3).contains(&inspection), "{inspection} round trips");
        assert_eq!((reply.stat("opened"), reply.stat("reused")), (2, 1));
    }
}

#[tokio::test]
async fn a_sandbox_that_could_not_be_warmed_serves_the_next_invocation() {
    let server = <Postgres as Server>::launch().await;
    server.stop().await;
    let function = Function::start_with(&server, &[("INIT", "warm")]).await;
    function.sandbox.frozen().await;
    assert!(function.proxy.connections() > 0, "warming tries to connect");
    let output = function.sandbox.output();
    assert!(output.contains("unavailable"), "{output}");
    server.start_again().await;
    assert_eq!(function.add(7).await.stat("opened"), 1);
    assert_eq!(function.sandbox.starts(), 1);
}
