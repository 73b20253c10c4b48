//! A handler that does not finish in time is ended before its deadline.

use std::time::Duration;

use lambda_bench::wait::until;
use reuse_db_tests::on_each_server;
use tokio::time::Instant;

use super::*;

const TIME_OUT: Duration = Duration::from_millis(1_000);

const FORMS: [&str; 6] = ["/conn", "/tx", "/pool", "/any", "/lease", "/lease-tx"];

on_each_server! {
    async fn a_handler_that_waits_for_ever_is_a_504(server: &impl Server) {
        let function = scripted(server, "plain", TIME_OUT).await;
        for form in FORMS {
            let answer = function.script(form, "insert into notes values ('late')\nsleep 60000").await;
            assert_eq!(answer.status(), 504, "{form}: {answer:?}");
            function.script(form, "raw select 1").await.ok();
        }
        assert_eq!(function.sandbox.starts(), 1, "{:?}", function.sandbox);
        let ended: Vec<_> = function
            .events()
            .into_iter()
            .filter(|(event, _)| event == "WARN handler ended")
            .collect();
        assert_eq!(ended.len(), FORMS.len(), "{ended:?}");
        // A transaction was rolled back, and the others had committed.
        assert_eq!(server.number("select count(*) from notes").await, 4);
    }

    /// The locks of its transaction are free at once.
    async fn a_transaction_that_is_ended_holds_no_lock(server: &impl Server) {
        let function = scripted(server, "plain", TIME_OUT).await;
        function.script("/conn", "insert into notes values ('a')").await.ok();
        for form in ["/tx", "/lease-tx"] {
            let answer = function.script(form, "update notes set text = 'b'\nsleep 60000").await;
            assert_eq!(answer.status(), 504, "{form}: {answer:?}");
            let begun = Instant::now();
            function.script("/conn", "update notes set text = 'c'").await.ok();
            assert!(begun.elapsed() < Duration::from_millis(500), "{form}: {:?}", begun.elapsed());
        }
    }

    /// A statement that is never answered counts as the handler's own.
    async fn a_slow_statement_is_a_504_and_the_next_invocation_works(server: &impl Server) {
        let function = scripted(server, "plain", TIME_OUT).await;
        let sleep = if server.url().starts_with("postgres") {
            "raw select pg_sleep(30)"
        } else {
            "raw select sleep(30)"
        };
        for form in FORMS {
            let answer = function.script(form, sleep).await;
            assert_eq!(answer.status(), 504, "{form}: {answer:?}");
            // The sandbox is frozen meanwhile.
            let begun = Instant::now();
            until("the end of the statement", async || running(server).await == 0).await;
            let took = begun.elapsed();
            assert!(took < Duration::from_secs(1), "{form}: {took:?}");
            function.script(form, "raw select 1").await.ok();
        }
        assert_eq!(function.sandbox.starts(), 1, "{:?}", function.sandbox);
    }
}
