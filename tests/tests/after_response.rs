//! The response waits for no socket. Work that must not be frozen half-done ends before the freeze.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lambda_bench::lambda::{Answer, Event, Outcome};
use lambda_bench::servers::{Mysql, Postgres};
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, Reply, a_long_freeze};
use reuse_db_tests::on_each_server_and_runtime;

/// The longest time from a handler's end to its response. A response that waited for the stalled
/// wire would take 500 ms. A few milliseconds are usual.
const AT_ONCE: Duration = Duration::from_millis(400);

/// Returns the time at which the handler ended. The reply or the error of the handler contains the
/// time.
fn ended(answer: &Answer) -> SystemTime {
    let ended = match &answer.outcome {
        Outcome::Failed(error) => error
            .message
            .rsplit(' ')
            .next()
            .and_then(|word| word.parse().ok())
            .unwrap_or(0),
        _ => Reply::of_any_status(answer).ended,
    };
    UNIX_EPOCH + Duration::from_millis(ended)
}

/// After the last reply that the handler reads, no byte passes in either direction.
async fn answers_over_a_stalled_wire(server: &impl Server, path: &str) {
    let function = Function::start(server).await;
    function.invoke(path).await;
    function.proxy.stall_after("last words");
    let answer = function.sandbox.invoke(Event::get(path)).await;
    let after = answer.at.duration_since(ended(&answer)).unwrap_or_default();
    assert!(after < AT_ONCE, "{path}: {after:?} after the handler's end");
    // Background work ends within its limit, and drops the connection.
    function.sandbox.frozen().await;
    a_long_freeze().await;
    assert_eq!(function.add(1).await.stat("unavailable"), 0);
}

/// Makes a round trip take longer than a response.
fn slow_wire(function: &Function) {
    function.proxy.delay(Duration::from_millis(15));
}

/// Every statement that the function sent before the freeze has been answered by then.
async fn nothing_is_in_flight(function: &Function) {
    let counts = function.proxy.counts();
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(function.proxy.counts(), counts, "since the freeze");
}

async fn no_transaction_is_open_while_frozen(server: &impl Server, path: &str) {
    let function = Function::start(server).await;
    let session = function.add(0).await.session;
    slow_wire(&function);
    for n in 0..5 {
        function.invoke(path).await;
        assert_eq!(function.sandbox.process_state(), Some('T'));
        nothing_is_in_flight(&function).await;
        let sessions = server.sessions().await;
        let is_open = sessions.iter().any(|session| session.in_transaction);
        assert!(!is_open, "{path}, round {n}: {sessions:?}");
        assert_eq!(sessions.len(), 1, "{path}, round {n}: {sessions:?}");
        // Two failures in a row would cost the connection.
        function.add(1).await;
    }
    let kept = function.add(1).await.session;
    assert_eq!(kept, session, "{path}: the connection is kept");
    let notes = server.number("select count(*) from notes").await;
    assert_eq!(notes, 0, "{path}: every write was rolled back");
}

on_each_server_and_runtime! {
    async fn the_response_of_a_success_waits_for_no_socket(server: &impl Server) {
        answers_over_a_stalled_wire(server, "/end?how=200").await;
    }

    async fn the_response_of_a_failure_waits_for_no_socket(server: &impl Server) {
        answers_over_a_stalled_wire(server, "/end?how=fail").await;
    }

    async fn a_dropped_transaction_delays_no_response(server: &impl Server) {
        answers_over_a_stalled_wire(server, "/end?how=drop-transaction").await;
    }

    async fn a_pools_dropped_transaction_delays_no_response(server: &impl Server) {
        answers_over_a_stalled_wire(server, "/pool?how=drop-transaction").await;
    }

    /// A pool of one connection, which is lost in its release, opens another connection.
    async fn a_pools_connection_lost_in_its_release_is_replaced(server: &impl Server) {
        let function = Function::start(server).await;
        let sum = async |n: i64| {
            let path = format!("/pool?n={n}&how=drop-transaction");
            Reply::of(&function.invoke(&path).await).sum
        };
        assert_eq!(sum(0).await, 1);
        for n in 1..=3 {
            function.proxy.stall_after("last words");
            assert_eq!(sum(n).await, n + 1);
            assert_eq!(sum(n).await, n + 1);
        }
    }

    async fn a_dropped_transaction_is_rolled_back_before_the_freeze(server: &impl Server) {
        no_transaction_is_open_while_frozen(server, "/end?how=drop-transaction").await;
    }

    async fn a_transaction_begun_with_sql_is_rolled_back_after_a_failure(server: &impl Server) {
        no_transaction_is_open_while_frozen(server, "/end?how=begin").await;
    }

    async fn a_pools_dropped_transaction_is_rolled_back_before_the_freeze(server: &impl Server) {
        let function = Function::start(server).await;
        slow_wire(&function);
        for n in 0..5 {
            function.invoke("/pool?how=drop-transaction").await;
            nothing_is_in_flight(&function).await;
            let sessions = server.sessions().await;
            let is_open = sessions.iter().any(|session| session.in_transaction);
            assert!(!is_open, "round {n}: {sessions:?}");
        }
    }
}

/// The round trips of a warm invocation before and after its response, for a handler of one
/// statement. The page on guarantees has this table.
async fn round_trips_are_those_of_the_table(
    server: &impl Server,
    after_tx: u64,
    after_a_failed_tx: u64,
) {
    for (form, before, after, before_failure, after_failure) in [
        ("/conn", 1, 0, 1, 1),
        ("/tx", 3, after_tx, 2, after_a_failed_tx),
        ("/pool", 1, 1, 1, 3),
    ] {
        let function = Function::start_scripted(server, "plain").await;
        for _ in 0..5 {
            function.script(form, "select 1").await.ok();
        }
        slow_wire(&function);
        for (end, expected) in [
            ("", (before, after)),
            ("404", (before_failure, after)),
            ("fail", (before_failure, after_failure)),
            ("", (before, after)),
            ("500", (before_failure, after_failure)),
        ] {
            let mut counted = count(&function, form, end).await;
            // A slow machine may notice the response late.
            for _ in 0..3 {
                if counted == expected {
                    break;
                }
                count(&function, form, "").await;
                counted = count(&function, form, end).await;
            }
            assert_eq!(counted, expected, "{form} {end}");
        }
    }
}

/// Returns the round trips of an invocation before and after its response.
async fn count(function: &Function, form: &str, end: &str) -> (u64, u64) {
    let start = function.proxy.counts();
    let event = Event::post(&format!("{form}?end={end}"), "select 1");
    function.sandbox.invoke(event).await;
    let response = function.proxy.counts();
    function.sandbox.frozen().await;
    let freeze = function.proxy.counts();
    let (before, after) = (response - start, freeze - response);
    (before.round_trips, after.round_trips)
}

#[tokio::test]
async fn round_trips_after_the_response_are_those_of_the_table_on_postgres() {
    let server = <Postgres as Server>::launch().await;
    round_trips_are_those_of_the_table(&server, 1, 1).await;
}

#[tokio::test]
async fn round_trips_after_the_response_are_those_of_the_table_on_mysql() {
    let server = <Mysql as Server>::launch().await;
    // MySQL has no limit for a transaction, so its idle limit is restored.
    let after_tx = if server.is_mariadb() { 1 } else { 2 };
    round_trips_are_those_of_the_table(&server, after_tx, 2).await;
}
