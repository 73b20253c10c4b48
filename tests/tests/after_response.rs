//! The response waits for no socket; what must not be frozen half-done is done before the freeze.

mod function;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use function::server::Server;
use function::{Function, Reply, a_long_freeze};
use lambda_bench::lambda::{Answer, Event, Outcome};

/// The handler's end, which it tells in its reply or in its error.
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

/// From the last reply that the handler reads, no byte passes in either direction.
async fn answers_over_a_stalled_wire(server: &impl Server, path: &str) {
    let function = Function::start(server).await;
    function.invoke(path).await;
    function.proxy.stall_after("last words");
    let answer = function.sandbox.invoke(Event::get(path)).await;
    let after = answer.at.duration_since(ended(&answer)).unwrap_or_default();
    assert!(
        after < Duration::from_millis(250),
        "{path}: {after:?} after the handler's end"
    );
    // The freeze waits no longer than what is owed may take; the connection is given up.
    function.sandbox.frozen().await;
    a_long_freeze().await;
    assert_eq!(function.add(1).await.stat("unavailable"), 0);
}

/// What is sent takes longer than a response does.
fn slow_wire(function: &Function) {
    function.proxy.delay(Duration::from_millis(30));
}

/// What the function had sent before it was frozen has been answered by then.
async fn nothing_is_on_its_way(function: &Function) {
    let counts = function.proxy.counts();
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(function.proxy.counts(), counts, "since the freeze");
}

/// While it is frozen, the server has no transaction of it open.
async fn nothing_is_open_while_frozen(server: &impl Server, path: &str) {
    let function = Function::start(server).await;
    let session = function.add(0).await.session;
    slow_wire(&function);
    for n in 0..5 {
        function.invoke(path).await;
        assert_eq!(function.sandbox.process_state(), Some('T'));
        nothing_is_on_its_way(&function).await;
        let sessions = server.sessions().await;
        assert!(
            sessions.iter().all(|session| !session.in_transaction),
            "{path}, round {n}: {sessions:?}"
        );
        assert_eq!(sessions.len(), 1, "{path}, round {n}: {sessions:?}");
    }
    assert_eq!(
        function.add(1).await.session,
        session,
        "{path}: the connection was kept"
    );
    assert_eq!(
        server.number("select count(*) from notes").await,
        0,
        "{path}"
    );
}

on_each_server_and_runtime! {
    async fn of_a_success_it_waits_for_nothing(server: &impl Server) {
        answers_over_a_stalled_wire(server, "/end?how=200").await;
    }

    async fn of_a_failure_it_waits_for_nothing(server: &impl Server) {
        answers_over_a_stalled_wire(server, "/end?how=fail").await;
    }

    async fn of_a_dropped_transaction_it_waits_for_nothing(server: &impl Server) {
        answers_over_a_stalled_wire(server, "/end?how=drop-transaction").await;
    }

    async fn of_a_pool_it_waits_for_nothing(server: &impl Server) {
        answers_over_a_stalled_wire(server, "/pool?how=drop-transaction").await;
        let function = Function::start(server).await;
        let round = async |n: i64| Reply::of(&function.invoke(&format!("/pool?n={n}&how=drop-transaction")).await).sum;
        assert_eq!(round(0).await, 1);
        // A pool of one connection, lost in its release, has another one for the next invocation.
        for n in 1..=3 {
            function.proxy.stall_after("last words");
            assert_eq!(round(n).await, n + 1);
            assert_eq!(round(n).await, n + 1);
        }
    }

    async fn a_dropped_transaction_is_rolled_back_before_the_freeze(server: &impl Server) {
        nothing_is_open_while_frozen(server, "/end?how=drop-transaction").await;
    }

    async fn a_transaction_begun_with_sql_is_rolled_back_after_a_failure(server: &impl Server) {
        nothing_is_open_while_frozen(server, "/end?how=begin").await;
    }

    async fn a_pools_dropped_transaction_is_rolled_back_before_the_freeze(server: &impl Server) {
        let function = Function::start(server).await;
        slow_wire(&function);
        for n in 0..5 {
            function.invoke("/pool?how=drop-transaction").await;
            nothing_is_on_its_way(&function).await;
            let sessions = server.sessions().await;
            assert!(sessions.iter().all(|session| !session.in_transaction), "round {n}: {sessions:?}");
        }
    }
}
