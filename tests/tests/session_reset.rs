//! After a panic, after a query that was cut off, and after a COMMIT or a BEGIN that was, the next
//! invocation has a sound connection.

#![expect(clippy::panic, reason = "a test fails by panicking")]

mod function;

use std::time::Duration;

use function::server::Server;
use function::{Function, RUN, Reply};
use lambda_bench::lambda::{Event, Outcome};
use lambda_bench::servers::Postgres;
use tokio::time::sleep;

/// `how` cuts off what has not been answered yet: the network is slow.
async fn leaves_nothing_behind(server: &impl Server, how: &str) {
    let function = Function::start(server).await;
    function.proxy.delay(Duration::from_millis(60));
    for n in 1..=3 {
        Reply::of(&function.invoke(&format!("/end?how={how}")).await);
        let sessions = server.sessions().await;
        assert!(
            sessions.iter().all(|session| !session.in_transaction),
            "{how}, round {n}: {sessions:?}"
        );
        function.add(n).await;
    }
}

/// `opens`: how many new connections each round costs.
async fn recovers_from(server: &impl Server, how: &str, opens: u64) {
    let function = Function::start(server).await;
    let mut opened = function.add(0).await.stat("opened");
    for n in 1..=5 {
        function
            .sandbox
            .invoke(Event::get(&format!("/end?how={how}")))
            .await;
        let reply = function.add(n).await;
        opened += opens;
        assert_eq!(reply.stat("opened"), opened, "{how}, round {n}");
        // What the server may take to see that a session's client has gone.
        sleep(Duration::from_secs(1)).await;
        let sessions = server.sessions().await;
        assert_eq!(sessions.len(), 1, "{how}, round {n}: {sessions:?}");
        assert_eq!(
            function.add(n).await.session,
            sessions[0].pid,
            "{how}, round {n}"
        );
    }
}

/// The function with a deadline near enough to be waited for.
async fn with_a_near_deadline(server: &impl Server, run: &str) -> Function {
    let program = env!("CARGO_BIN_EXE_function");
    Function::start_sandbox(program, server, &[("RUN", run)], |builder| {
        builder.timeout(Duration::from_secs(2))
    })
    .await
}

/// The error of an invocation whose COMMIT is swallowed.
async fn error_of_a_commit(function: &Function) -> String {
    let path = "/note?how=last-words";
    // The 50 ms that it is given to answer with may be too short for a busy machine.
    for _ in 0..5 {
        function.invoke(path).await.ok();
        function.proxy.stall_after("last words");
        let answer = function.sandbox.invoke(Event::get(path)).await;
        match &answer.outcome {
            Outcome::Failed(error) => return error.message.clone(),
            Outcome::TimedOut => {}
            _ => panic!("{answer:?}"),
        }
    }
    panic!("each was late");
}

on_each_server_and_runtime! {
    async fn a_commit_that_the_deadline_cuts_off(server: &impl Server) {
        let function = with_a_near_deadline(server, RUN.get()).await;
        let message = error_of_a_commit(&function).await;
        assert!(
            message.contains("COMMIT") && message.contains("may or may not have happened"),
            "{message}"
        );
        let starts = function.sandbox.starts();
        for n in 1..=3 {
            assert_eq!(Reply::of(&function.invoke(&format!("/note?n={n}")).await).sum, n + 1);
        }
        assert_eq!(function.sandbox.starts(), starts, "the process goes on");
    }

    async fn a_panic(server: &impl Server) {
        recovers_from(server, "panic", 1).await;
    }

    /// The handler gives up its query, and succeeds.
    async fn a_query_that_was_cut_off(server: &impl Server) {
        recovers_from(server, "cut", 0).await;
    }

    async fn a_begin_that_was_cut_off(server: &impl Server) {
        leaves_nothing_behind(server, "cut-begin").await;
    }

    /// The nap is still being prepared.
    async fn a_query_that_was_cut_off_before_it_ran(server: &impl Server) {
        leaves_nothing_behind(server, "cut").await;
    }

    /// The handler itself is given up.
    async fn a_handler_that_was_cut_off(server: &impl Server) {
        recovers_from(server, "cut-off", 1).await;
    }

    async fn a_failure(server: &impl Server) {
        recovers_from(server, "fail", 0).await;
    }

    /// What is not at rest within `check_timeout` is given up, and nobody waits for it.
    async fn a_long_query_that_was_cut_off(server: &impl Server) {
        let function = Function::start(server).await;
        for n in 1..=3 {
            function.sandbox.invoke(Event::get("/end?how=cut-long")).await;
            let answer = function.sandbox.invoke(Event::get(&format!("/add?n={n}"))).await;
            assert_eq!(Reply::of(&answer).sum, n + 1);
            assert!(answer.took < Duration::from_secs(3), "the nap lasts for 5 s: {answer:?}");
        }
    }
}

/// On a connection that was just opened; one that was kept is replaced.
#[tokio::test]
async fn a_begin_that_the_deadline_cuts_off() {
    let server = <Postgres as Server>::launch().await;
    let function = with_a_near_deadline(&server, "errors").await;
    // In the last that the server says of a new connection.
    function.proxy.stall_after("server_version");
    let answer = function.sandbox.invoke(Event::get("/note")).await;
    let message = &answer.error().message;
    assert!(message.contains("no answer to BEGIN in time"), "{message}");
    for n in 1..=3 {
        assert_eq!(
            Reply::of(&function.invoke(&format!("/note?n={n}")).await).sum,
            n + 1
        );
    }
    assert_eq!(function.sandbox.starts(), 1);
}
