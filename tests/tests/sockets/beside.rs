//! A pool of several connections, beside a connection that is not the pool's.

use std::time::Duration;

use lambda_bench::lambda::Event;
use lambda_bench::servers::Postgres;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, program};
use tokio::time::sleep;

async fn start(server: &Postgres, time_out: Duration) -> Function {
    let program = program("pool_function");
    Function::start_sandbox(program, server, &[], |sandbox| sandbox.timeout(time_out)).await
}

/// Invokes a route, and returns the numbers of its sessions.
async fn pids(function: &Function, path: &str) -> Vec<i32> {
    let answer = function.sandbox.invoke(Event::get(path)).await;
    assert_eq!(answer.status(), 200, "{path}: {answer:?}");
    let pids = answer.json();
    let pids = pids.as_array().expect("an array").iter();
    pids.map(|pid| pid.as_i64().expect("a number") as i32)
        .collect()
}

const TIME_OUT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn idle_connections_are_not_used_after_a_shut_down() {
    for tls in ["", "tls"] {
        let server = Postgres::start_for(tls).await;
        let function = start(&server, TIME_OUT).await;
        for pause in [0, 100, 300] {
            for _ in 0..2 {
                pids(&function, "/many?count=2").await;
            }
            pids(&function, "/spawns?count=3").await;
            sleep(Duration::from_millis(pause)).await;
            pids(&function, "/many?count=1").await;
            pids(&function, "/many?count=2").await;
        }
        assert_eq!(function.sandbox.starts(), 1);
    }
}

#[tokio::test]
async fn a_connection_of_the_functions_own_is_not_shut_down() {
    let server = Postgres::start().await;
    let function = start(&server, TIME_OUT).await;
    pids(&function, "/many?count=1").await;
    let own = pids(&function, "/own").await;
    // The second connection of the pool is new, and so is the function's own.
    for pid in pids(&function, "/many?count=2").await {
        let sql = format!("select pg_terminate_backend({pid})");
        server.execute(&sql).await;
    }
    sleep(Duration::from_millis(1_200)).await;
    // Both are replaced, and a third one is opened.
    pids(&function, "/many?count=2").await;
    pids(&function, "/many?count=3").await;
    assert_eq!(pids(&function, "/own").await, own);
    pids(&function, "/spawns?count=3").await;
    assert_eq!(pids(&function, "/own").await, own);
}

/// Each statement has its own round trip, and sqlx's ping after it.
#[tokio::test]
async fn statements_side_by_side_are_not_checked() {
    for tls in ["", "tls"] {
        let server = Postgres::start_for(tls).await;
        let function = start(&server, TIME_OUT).await;
        for _ in 0..5 {
            pids(&function, "/pairs?count=5").await;
        }
        function.proxy.delay(Duration::from_millis(1));
        let before = function.proxy.counts();
        pids(&function, "/pairs?count=50").await;
        let round_trips = (function.proxy.counts() - before).round_trips;
        assert!(
            round_trips <= 208,
            "{tls}: {round_trips} for 100 statements"
        );
    }
}

#[tokio::test]
async fn a_deadline_ends_a_statement_of_a_pool_of_three() {
    for tls in ["", "tls"] {
        let server = Postgres::start_for(tls).await;
        let function = start(&server, Duration::from_secs(3)).await;
        for _ in 0..4 {
            pids(&function, "/many?count=3").await;
        }
        for n in 0..3 {
            let answer = function.sandbox.invoke(Event::get("/long")).await;
            assert_eq!(answer.status(), 504, "{tls} {n}: {answer:?}");
            pids(&function, "/many?count=1").await;
            pids(&function, "/many?count=3").await;
        }
        assert_eq!(function.sandbox.starts(), 1, "{tls}");
    }
}
