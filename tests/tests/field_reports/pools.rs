//! Pools keep the promises of connections (rows 8 and 19).

use std::time::Duration;

use lambda_bench::servers::{Mysql, Postgres};
use reuse_db::{Outcome, SharedLease};
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, a_long_freeze};
use reuse_db_tests::on_each_server;
use reuse_db_tests::statics::{shared, source};
use sqlx::PgPool;

#[tokio::test]
async fn an_advisory_lock_is_released_after_a_failure() {
    let server = <Postgres as Server>::launch().await;
    for form in ["/conn", "/tx", "/pool"] {
        let function = Function::start_scripted(&server, "plain").await;
        let path = format!("{form}?end=fail");
        function
            .script(&path, "select pg_advisory_lock(42)")
            .await
            .error();
        let locks = server
            .number("select count(*) from pg_locks where locktype = 'advisory'")
            .await;
        assert_eq!(locks, 0, "{form}");
        assert_eq!(function.proxy.connections(), 1, "{form}");
    }
}

#[tokio::test]
async fn a_named_lock_is_released_after_a_failure_on_mysql() {
    let server = <Mysql as Server>::launch().await;
    for form in ["/conn", "/tx", "/pool"] {
        let function = Function::start_scripted(&server, "plain").await;
        let path = format!("{form}?end=fail");
        function
            .script(&path, "select get_lock('deploy', 0)")
            .await
            .error();
        let free = server.number("select is_free_lock('deploy')").await;
        assert_eq!(free, 1, "{form}");
        assert_eq!(function.proxy.connections(), 1, "{form}");
    }
}

#[tokio::test]
async fn a_pool_resets_a_session_after_a_failure() {
    let server = <Postgres as Server>::launch().await;
    let function = Function::start_scripted(&server, "plain").await;
    let set = "select set_config('app.tenant', 'a', false)";
    function.script("/pool?end=fail", set).await.error();
    let rows = function
        .rows("/pool", "select current_setting('app.tenant', true)")
        .await;
    assert_eq!(rows, [""]);
}

on_each_server! {
    async fn a_warm_pool_without_its_server_is_a_503_with_the_cause(server: &impl Server) {
        let function = Function::start_scripted(server, "brief").await;
        function.script("/pool", "select 1").await.ok();
        function.proxy.close().await;
        function.proxy.refuse().await;
        a_long_freeze().await;
        for wrapper in ["", "enum", "anyhow"] {
            let answer = function.script(&format!("/pool?error={wrapper}"), "select 1").await;
            assert_eq!(answer.status(), 503, "{wrapper}: {answer:?}");
            assert_eq!(answer.header("retry-after"), Some("1"));
            assert!(answer.took < Duration::from_secs(4), "{answer:?}");
        }
        let events = function.events();
        let unavailable: Vec<_> = events
            .iter()
            .filter(|(event, _)| event == "WARN unavailable")
            .map(|(_, fields)| fields["error"].as_str().expect("a cause").to_owned())
            .collect();
        assert_eq!(unavailable.len(), 3, "{events:?}");
        assert!(unavailable[0].contains("refused"), "{unavailable:?}");
        function.proxy.accept().await;
        function.script("/pool", "select 1").await.ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_returns_after_a_failure_is_reset_before_its_next_use() {
    let server = <Postgres as Server>::launch().await;
    let db = shared::<PgPool>(source(server.url()).max_connections(1));
    for round in 0..20 {
        let failing = db.lease().await.expect("a pool");
        // Another invocation at the same time, so that nobody waits for the connection.
        let other = db.lease().await.expect("a pool");
        sqlx::query("select set_config('app.tenant', 'a', false)")
            .execute(SharedLease::get(&failing))
            .await
            .expect("an answer");
        SharedLease::settle(failing, Outcome::Rejected);
        let tenant: Option<String> =
            sqlx::query_scalar("select current_setting('app.tenant', true)")
                .fetch_one(SharedLease::get(&other))
                .await
                .expect("an answer");
        assert_eq!(tenant.unwrap_or_default(), "", "round {round}");
        SharedLease::settle(other, Outcome::Success);
    }
    assert_eq!(
        server.sessions().await.len(),
        1,
        "no connection is replaced"
    );
}
