//! A handler connects only when it needs the database (row 14).

use std::time::Duration;

use reuse_db_tests::function::Function;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::on_each_server;

const FORMS: [&str; 2] = ["/lease", "/lease-tx"];

on_each_server! {
    async fn a_handler_that_does_not_open_its_lease_does_not_connect(server: &impl Server) {
        let function = Function::start_scripted(server, "brief").await;
        for form in FORMS {
            function.script(form, "").await.ok();
        }
        function.proxy.refuse().await;
        for form in FORMS {
            let answer = function.script(form, "").await;
            assert!(answer.ok().took < Duration::from_secs(1), "{answer:?}");
        }
        assert_eq!(function.proxy.connections(), 0);
        for form in FORMS {
            let answer = function.script(form, "select 1").await;
            assert_eq!(answer.status(), 503, "{form}: {answer:?}");
        }
        function.proxy.accept().await;
        for form in FORMS {
            function.script(form, "select 1").await.ok();
        }
        assert_eq!(function.proxy.connections(), 1);
    }

    async fn a_warm_handler_that_does_not_open_its_lease_sends_nothing(server: &impl Server) {
        let function = Function::start_scripted(server, "plain").await;
        for form in FORMS {
            function.script(form, "select 1").await.ok();
            let before = function.proxy.counts();
            function.script(form, "").await.ok();
            function.script(&format!("{form}?end=fail"), "").await.error();
            assert_eq!(function.proxy.counts(), before, "{form}");
        }
    }

    async fn a_lease_is_settled_by_the_outcome_of_its_handler(server: &impl Server) {
        let function = Function::start_scripted(server, "plain").await;
        for _ in 0..3 {
            function.script("/lease", "select 1").await.ok();
        }
        assert_eq!(function.proxy.connections(), 1, "kept after a success");
        let stats = |answer: &lambda_bench::lambda::Answer, name: &str| {
            answer.ok().json()["stats"][name].as_u64().expect("a counter")
        };
        function.script("/lease?end=fail", "select 1").await.error();
        let answer = function.script("/lease", "select 1").await;
        assert_eq!(function.proxy.connections(), 1, "kept after a failure");
        assert_eq!(stats(&answer, "checked"), 1, "reset after a failure");
        function.script("/lease?end=panic", "select 1").await.error();
        let answer = function.script("/lease", "select 1").await;
        assert_eq!(function.proxy.connections(), 2, "dropped after a panic");
        assert_eq!(stats(&answer, "discarded"), 1);
    }

    async fn a_leased_transaction_is_committed_by_its_handler(server: &impl Server) {
        let function = Function::start_scripted(server, "plain").await;
        let insert = "insert into notes values ('a')";
        function.script("/lease-tx", insert).await.ok();
        function.script("/lease-tx", &format!("{insert}\nnonsense")).await.error();
        function.script("/lease-tx", insert).await.ok();
        assert_eq!(server.number("select count(*) from notes").await, 2);
        assert_eq!(function.proxy.connections(), 1);
    }
}
