//! Reports of the field, each tried on the clients that it concerns.

use std::time::Duration;

use lambda_bench::lambda::Event;
use lambda_bench::wait::until;
use reuse_db_tests::function::LONG;
use sqlx::Executor as _;

use super::{CLIENTS, Function, SHORT, of_user};

/// rust-postgres 840, 1249: an open stream of rows blocks its connection.
#[tokio::test]
async fn rows_that_a_handler_keeps_block_nobody() {
    let function = Function::start("/client").await;
    for step in ["keep-rows", "half-rows"] {
        for rows in [3, 200_000] {
            function
                .ok(&format!("{step} select generate_series(1, {rows})::text"))
                .await;
            function.expect_own_answers().await;
        }
    }
    assert_eq!(function.sandbox.starts(), 1);
}

/// rust-postgres 494: a statement outlives its handler.
#[tokio::test]
async fn a_kept_statement_never_runs_as_another() {
    let function = Function::start("/client").await;
    function.ok("prepare select 'mine'\nprepared").await;
    assert_eq!(function.ok("prepared").await, "mine");
    function.proxy.reset().await;
    tokio::time::sleep(SHORT).await;
    // The new session does not know it, and other statements have other names.
    function.ok("types select 1::int8").await;
    function.fails("prepared").await;
    function.expect_own_answers().await;
}

/// rust-postgres 636, deadpool 57: statements for types are gone after a reset.
#[tokio::test]
async fn a_reset_keeps_the_statements_of_the_client() {
    let function = Function::start("/client").await;
    let session = function.session().await;
    assert_eq!(function.ok("types select 'good'::mood").await, "mood");
    function
        .fails("sql create type second as enum ('a')\nfail")
        .await;
    assert_eq!(function.ok("types select 'a'::second").await, "second");
    function.fails("sql prepare mine as select 1\nfail").await;
    let prepared = "query select count(*) from pg_prepared_statements where name = 'mine'";
    assert_eq!(function.ok(prepared).await, "0");
    assert_eq!(function.session().await, session);
}

/// rust-postgres 753, diesel_async 103: a type was dropped and created again.
#[tokio::test]
async fn a_type_that_was_created_again_fails_once_at_most() {
    let function = Function::start("/client").await;
    function.ok("types select 'good'::mood").await;
    of_user(&function.postgres)
        .await
        .execute("drop type mood; create type mood as enum ('good', 'new')")
        .await
        .expect("another type");
    for _ in 0..2 {
        assert_eq!(function.ok("types select 'new'::mood").await, "mood");
    }
}

/// dbx 967: "cached plan must not change result type".
#[tokio::test]
async fn a_changed_table_fails_cached_statements_once_at_most() {
    let function = Function::start("/diesel").await;
    assert_eq!(function.ok("load").await, "0");
    of_user(&function.postgres)
        .await
        .execute("alter table items alter column id type bigint; alter table items alter column id type int; alter table items add column extra text; alter table items drop column name; alter table items add column name varchar")
        .await
        .expect("another table");
    let session = function.session().await;
    // The statement fails where the server re-plans it, and then works again.
    let first = function.run_at("/diesel", "load").await;
    drop(first);
    assert_eq!(function.ok("load").await, "0");
    assert_eq!(function.session().await, session, "its connection is kept");
}

/// deadpool 360: LISTEN survives.
#[tokio::test]
async fn a_failure_leaves_nothing_of_the_session() {
    for path in CLIENTS {
        let function = Function::start(path).await;
        let session = function.session().await;
        let zone = function
            .ok("query select current_setting('timezone')")
            .await;
        for change in [
            "set application_name = 'changed'",
            "set timezone = 'Asia/Tokyo'",
            "set role app",
            "listen channel",
            "select pg_advisory_lock(7)",
            "create temp table items (id int)",
            "declare rows cursor with hold for select 1",
            "set session characteristics as transaction read only",
            "set search_path = pg_temp",
            "begin; insert into items values (1, 'begun')",
            "begin; lock table items",
        ] {
            function.fails(&format!("sql {change}\nfail")).await;
            function.expect_own_answers().await;
        }
        let left = "query select (select count(*) from pg_listening_channels()) \
            + (select count(*) from pg_cursors where name <> '') \
            + (select count(*) from pg_locks where locktype = 'advisory')";
        assert_eq!(function.ok(left).await, "0");
        let after = function
            .ok("query select current_setting('timezone')")
            .await;
        assert_eq!(after, zone, "{path}");
        assert_eq!(function.session().await, session, "{path}");
    }
}

/// rust-postgres 834, 635: a ROLLBACK is queued and not sent before the freeze.
#[tokio::test]
async fn a_lock_is_released_before_the_freeze() {
    for path in ["/client", "/diesel", "/transaction"] {
        let function = Function::start(path).await;
        let begin = if path == "/transaction" {
            ""
        } else {
            "sql begin\n"
        };
        for end in ["\nfail", "\nabandon select pg_sleep(60)"] {
            let _ = function
                .run_at(path, &format!("{begin}sql lock table items{end}"))
                .await;
            let mut other = of_user(&function.postgres).await;
            other
                .execute("set lock_timeout = '1s'; begin; lock table items; rollback")
                .await
                .expect("the lock is free");
        }
    }
}

/// rust-postgres 725, sqllogictest-rs 263: an abandoned statement runs on.
#[tokio::test]
async fn an_abandoned_statement_ends() {
    for path in CLIENTS {
        let function = Function::start(path).await;
        for _ in 0..2 {
            function.ok("abandon select pg_sleep(60)").await;
            function.expect_own_answers().await;
        }
        until("the end of the statements", async || {
            function.postgres.sessions().await.len() == 1
        })
        .await;
    }
}

/// rust-postgres 1229, 884: the connection ended while nobody read it.
#[tokio::test]
async fn a_session_that_ended_while_frozen_fails_nobody() {
    for path in CLIENTS {
        let function = Function::start(path).await;
        function.expect_own_answers().await;
        for pause in [SHORT, LONG] {
            assert_eq!(function.postgres.end_sessions().await, 1);
            tokio::time::sleep(pause).await;
            function.expect_own_answers().await;
        }
    }
}

/// rust-postgres 1337: answers are shifted by one.
#[tokio::test]
async fn answers_are_never_shifted() {
    for path in CLIENTS {
        let function = Function::start(path).await;
        for n in 0..20 {
            function.ok("abandon select pg_sleep(0.2), 'old'").await;
            let own = format!("query select 'nonce {n}'");
            assert_eq!(function.ok(&own).await, format!("nonce {n}"));
        }
    }
}

/// Expects a number of round trips of most invocations. A slow machine adds health checks, and an
/// inspection of the session may be due.
async fn expect_round_trips(function: &Function, steps: &str, wanted: u64) {
    for _ in 0..6 {
        function.ok(steps).await;
    }
    let mut all = Vec::new();
    for _ in 0..15 {
        all.push(function.round_trips(steps).await);
    }
    all.sort_unstable();
    assert_eq!(all[..8], [wanted; 8], "{steps}: {all:?}");
}

#[tokio::test]
async fn a_warm_invocation_adds_nothing_to_the_wire() {
    let function = Function::start("/client").await;
    expect_round_trips(&function, "query select 1\nquery select 2", 2).await;
    // Prepare and execute. The Close that follows is answered before the freeze.
    expect_round_trips(&function, "types select 1", 3).await;
    let function = Function::start("/transaction").await;
    // BEGIN, the query, COMMIT.
    expect_round_trips(&function, "query select 1", 3).await;
}

#[tokio::test]
async fn a_swallowed_failure_costs_no_connection() {
    for path in CLIENTS {
        let function = Function::start(path).await;
        let session = function.session().await;
        function.ok("ignore select nothing").await;
        function.fails("sql select nothing").await;
        function
            .fails("sql insert into items values (1/0, '')")
            .await;
        assert_eq!(function.session().await, session, "{path}");
    }
}

/// A server that sends without a pause.
#[tokio::test]
async fn an_endless_answer_delays_no_response() {
    let function = Function::start("/client").await;
    for step in ["half-rows", "keep-rows"] {
        let begun = tokio::time::Instant::now();
        function
            .ok(&format!(
                "{step} select repeat('x', 1000) from pg_class, pg_proc, pg_type"
            ))
            .await;
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(2), "{step}: {took:?}");
        function.expect_own_answers().await;
    }
}

/// An enumeration with a label that was added later.
#[tokio::test]
async fn a_type_that_has_grown_fails_once_at_most() {
    let function = Function::start("/client").await;
    function.fails("mood good").await;
    of_user(&function.postgres)
        .await
        .execute("alter type mood add value 'new'")
        .await
        .expect("another label");
    let session = function.session().await;
    let _ = function.run_at("/client", "mood new").await;
    assert_eq!(function.ok("mood new").await, "new");
    assert_eq!(function.session().await, session);
}

/// A right that is gone. After a rotation, a new connection may sign in as another user.
#[tokio::test]
async fn a_missing_right_costs_the_connection_at_last() {
    for path in CLIENTS {
        let function = Function::start(path).await;
        let session = function.session().await;
        for _ in 0..2 {
            function
                .fails("query select count(*)::text from pg_authid")
                .await;
        }
        assert_ne!(function.session().await, session, "{path}");
    }
}

/// The variables of libpq.
#[tokio::test]
async fn the_environment_names_and_sets_up_a_session() {
    let postgres = lambda_bench::servers::Postgres::start().await;
    for path in CLIENTS {
        let sandbox = super::sandbox_of(&postgres.url())
            .env("PGAPPNAME", "mine")
            .env("PGOPTIONS", "-c statement_timeout=7777")
            .start()
            .await;
        let steps = "query select current_setting('application_name')\n\
            query select current_setting('statement_timeout')\n\
            query select current_setting('idle_session_timeout')";
        for _ in 0..2 {
            let answer = sandbox.invoke(Event::post(path, steps)).await;
            assert_eq!(answer.ok().text(), "mine,7777ms,5min", "{path}");
            sandbox.invoke(Event::post(path, "fail")).await.error();
        }
    }
}

/// A prepare that is cut off leaves a statement that nobody knows.
#[tokio::test]
async fn a_prepare_that_was_cut_off_leaves_no_statement() {
    let function = Function::start("/client").await;
    let session = function.session().await;
    // The answer is missing when the handler ends.
    function.proxy.delay(Duration::from_millis(10));
    for _ in 0..5 {
        function.ok("half-prepare select 1").await;
    }
    function.proxy.delay(Duration::ZERO);
    let left = "query select count(*) from pg_prepared_statements";
    assert_eq!(function.ok(left).await, "0");
    assert_eq!(function.session().await, session);
}

/// LISTEN stays after a success.
#[tokio::test]
async fn notifications_while_frozen_cost_no_connection() {
    let function = Function::start("/client").await;
    function.ok("sql listen channel").await;
    let session = function.session().await;
    let mut other = of_user(&function.postgres).await;
    for round in 0..5 {
        for _ in 0..20 {
            other
                .execute("select pg_notify('channel', repeat('x', 7000))")
                .await
                .expect("a notification");
        }
        assert_eq!(function.ok("query select 1").await, "1", "{round}");
    }
    assert_eq!(function.session().await, session);
}
