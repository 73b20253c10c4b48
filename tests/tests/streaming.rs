//! Rows are streamed in constant memory. The connection is settled when the stream ends: complete,
//! failed, or abandoned by its client.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, with a message"
)]

use std::fs;
use std::time::Duration;

use lambda_bench::lambda::{Answer, Builder, Event};
use lambda_bench::wait::until;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, program};
use reuse_db_tests::{on_each_server, on_each_server_and_runtime};
use serde_json::Value;
use tokio::time::Instant;

const OVER: [&str; 2] = ["pool", "lease"];

/// The longest time until the query of a client that left has ended: 300 ms on a quiet machine.
const AT_ONCE: Duration = Duration::from_secs(3);

async fn start(server: &impl Server) -> Function {
    // A million rows take longer than the statements of other tests.
    let change = |sandbox: Builder| sandbox.timeout(Duration::from_secs(120));
    Function::start_sandbox(program("streaming_function"), server, &[], change).await
}

/// The answer consists of the rows from 1 to `count`.
#[track_caller]
fn assert_rows(answer: &Answer, count: usize) {
    let lines = answer.ok().text().lines();
    let right = lines
        .clone()
        .zip(1..)
        .all(|(line, n)| line.parse() == Ok(n));
    assert!(
        right && lines.count() == count,
        "{} of {count} rows",
        answer.text().len()
    );
}

/// Returns the counters of the function.
async fn stats(function: &Function) -> Value {
    function.invoke("/").await.ok().json()
}

/// Returns the largest memory of the function so far, in KiB.
fn peak(function: &Function) -> u64 {
    let status =
        fs::read_to_string(format!("/proc/{}/status", function.sandbox.pid())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let figure = line.and_then(|line| line.trim().strip_suffix(" kB"));
    figure
        .and_then(|figure| figure.trim().parse().ok())
        .expect("a number")
}

fn is_idle(state: &str) -> bool {
    matches!(state, "idle" | "Sleep" | "")
}

on_each_server_and_runtime! {
    async fn the_connection_of_a_long_stream_stays_trusted(server: &impl Server) {
        let function = start(server).await;
        for over in OVER {
            // Longer than the limit of background work, and longer than `verify_after`. The stream
            // uses the connection all the time.
            let answer = function
                .invoke(&format!("/?over={over}&rows=20000&nap=120"))
                .await;
            assert_rows(&answer, 20_000);
            assert!(answer.took > Duration::from_millis(1_200), "{answer:?}");
            let before = stats(&function).await;
            let answer = function.invoke(&format!("/?over={over}&rows=10")).await;
            assert_rows(&answer, 10);
            let after = stats(&function).await;
            for counter in ["opened", "checked", "stale", "discarded"] {
                assert_eq!(before[counter], after[counter], "{over}, {counter}");
            }
        }
        // The pool's connection, and the connection that `&mut` and `Lease` share.
        assert_eq!(function.proxy.connections(), 2);
        assert_eq!(server.sessions().await.len(), 2);
    }

    async fn a_failed_stream_affects_no_other_invocation(server: &impl Server) {
        let function = start(server).await;
        for over in OVER {
            for _ in 0..3 {
                let path = format!("/?over={over}&rows=100000&fail_at=50000");
                let answer = function.invoke(&path).await;
                let error = answer.http().stream_error.as_ref().expect("an incomplete stream");
                assert!(error.message.contains("the row fails"), "{error:?}");
                let answer = function.invoke(&format!("/?over={over}&rows=1000")).await;
                assert_rows(&answer, 1_000);
            }
        }
        assert!(server.sessions().await.len() <= 2);
    }

    async fn a_client_that_leaves_ends_the_query(server: &impl Server) {
        let function = start(server).await;
        for over in OVER {
            for _ in 0..3 {
                let event = Event::get(&format!("/?over={over}&rows=1000000"));
                let answer = function.sandbox.invoke(event.leaves_after(100_000)).await;
                assert!(answer.ok().text().len() < 10_000_000);
                let ended = async || {
                    let sessions = server.sessions().await;
                    sessions.iter().all(|session| is_idle(&session.state))
                };
                let left = Instant::now();
                until("the end of the query", ended).await;
                let took = left.elapsed();
                println!("{over}: the query ended after {took:?}");
                assert!(took < AT_ONCE, "{over}: {took:?}");
                // lambda_runtime may end the process, if it writes to the client that has left.
                let answer = function.invoke(&format!("/?over={over}&rows=1000")).await;
                assert_rows(&answer, 1_000);
            }
        }
        let closed = async || server.sessions().await.len() <= 2;
        until("the end of the abandoned sessions", closed).await;
    }

    async fn a_stream_without_a_connection_is_a_503(server: &impl Server) {
        let function = start(server).await;
        function.proxy.refuse().await;
        for over in OVER {
            let event = Event::get(&format!("/?over={over}&rows=10"));
            let answer = function.sandbox.invoke(event).await;
            let retry_after = answer.header("retry-after");
            assert_eq!((answer.status(), retry_after), (503, Some("1")), "{answer:?}");
            assert_eq!(answer.json()["error"], "the database is not available");
        }
    }
}

on_each_server! {
    async fn a_million_rows_need_no_more_memory_than_ten_thousand(server: &impl Server) {
        for over in OVER {
            let function = start(server).await;
            let answer = function.invoke(&format!("/?over={over}&rows=10000")).await;
            assert_rows(&answer, 10_000);
            let before = peak(&function);
            let event = Event::get(&format!("/?over={over}&rows=1000000"));
            let answer = function.sandbox.invoke(event).await;
            assert_rows(&answer, 1_000_000);
            let (after, took) = (peak(&function), answer.took);
            let first_byte = answer.http().first_byte.expect("a streamed response");
            println!("{over}: {before} KiB, then {after} KiB; {first_byte:?} of {took:?}");
            assert!(after < before + 4 * 1024, "{over}: {before} KiB, then {after} KiB");
            assert!(first_byte < took / 2, "{over}: {first_byte:?} of {took:?}");
        }
    }
}
