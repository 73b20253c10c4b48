//! A handler that does not finish in time is ended before its deadline.

use std::time::Duration;

use lambda_bench::lambda::Event;
use lambda_bench::wait::until;
use reuse_db_tests::descriptors::can_be_duplicated;
use reuse_db_tests::{on_each, on_each_server};
use serde_json::json;
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

    async fn a_handler_of_events_that_waits_for_ever_is_an_error(server: &impl Server) {
        let program = program("outcome_function");
        let function = Function::start_sandbox(program, server, &[], |sandbox| {
            sandbox.timeout(TIME_OUT)
        })
        .await;
        for form in ["endless", "json", "endless", "json"] {
            let event = Event::json(json!({"form": form, "status": 200}));
            let answer = function.sandbox.invoke(event).await;
            function.sandbox.frozen().await;
            if form == "endless" {
                let message = &answer.error().message;
                assert!(message.contains("bench") && message.contains("time-out"), "{message}");
            }
        }
        assert_eq!(function.sandbox.starts(), 1, "{:?}", function.sandbox);
        assert_eq!(server.number("select count(*) from notes").await, 2);
        assert!(!server.sessions().await.iter().any(|session| session.in_transaction));
    }

    async fn a_handler_that_blocks_is_ended_by_lambda(server: &impl Server) {
        let function = scripted(server, "plain", TIME_OUT).await;
        for (starts, form) in [(2, "/conn"), (3, "/tx"), (4, "/pool")] {
            let event = Event::post(form, "insert into notes values ('a')\nblock 60000");
            let answer = function.sandbox.invoke(event).await;
            assert!(answer.timed_out(), "{form}: {answer:?}");
            function.script(form, "raw select 1").await.ok();
            assert_eq!(function.sandbox.starts(), starts, "{form}");
        }
        assert_eq!(server.number("select count(*) from notes").await, 2);
    }

    async fn one_of_several_handlers_at_once_is_ended(server: &impl Server) {
        let function = Function::start_sandbox(program("field_function"), server, &[], |sandbox| {
            sandbox.timeout(TIME_OUT).concurrency(4)
        })
        .await;
        for form in FORMS {
            let quick = || function.sandbox.invoke(Event::post(form, "sleep 250\nraw select 1"));
            let slow = Event::post(form, "sleep 60000");
            let (one, slow, two, three) =
                tokio::join!(quick(), function.sandbox.invoke(slow), quick(), quick());
            assert_eq!(slow.status(), 504, "{form}: {slow:?}");
            for answer in [one, two, three] {
                answer.ok();
            }
        }
        assert_eq!(function.sandbox.starts(), 1, "{:?}", function.sandbox);
    }

    /// Its client has the begin of the response.
    async fn a_stream_that_has_begun_is_left_to_lambda(server: &impl Server) {
        let program = program("streaming_function");
        let function = Function::start_sandbox(program, server, &[], |sandbox| {
            sandbox.timeout(TIME_OUT * 2)
        })
        .await;
        for over in ["pool", "lease"] {
            let path = format!("/?over={over}&rows=100000&nap=200");
            let answer = function.sandbox.invoke(Event::get(&path)).await;
            assert!(answer.timed_out() || answer.status() == 200, "{over}: {answer:?}");
            function.invoke("/").await.ok();
        }
        assert_eq!(function.sandbox.starts(), 3, "{:?}", function.sandbox);
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

    async fn a_slow_statement_is_a_504_and_the_next_invocation_works(server: &impl Server) {
        slow_statement(server, Duration::from_secs(1)).await;
    }
}

on_each! {
    { on_postgres Postgres "tls", on_mysql Mysql "tls" }

    async fn a_slow_statement_over_tls_is_a_504(server: &impl Server) {
        // On a busy machine, the KILL of MariaDB may come too late for the freeze.
        let limit = if server.url().starts_with("postgres") {
            Duration::from_secs(1)
        } else {
            TIME_OUT + Duration::from_secs(2)
        };
        slow_statement(server, limit).await;
    }
}

/// A statement that is never answered counts as the handler's own.
async fn slow_statement(server: &impl Server, limit: Duration) {
    // Without its socket, a pool's connection over TLS is closed by sqlx alone.
    let limit = if can_be_duplicated() {
        limit
    } else {
        limit.max(TIME_OUT + Duration::from_secs(2))
    };
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
        until("the end of the statement", async || {
            running(server).await == 0
        })
        .await;
        let took = begun.elapsed();
        assert!(took < limit, "{form}: {took:?}");
        function.script(form, "raw select 1").await.ok();
    }
    assert_eq!(function.sandbox.starts(), 1, "{:?}", function.sandbox);
}
