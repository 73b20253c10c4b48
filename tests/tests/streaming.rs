//! Rows are streamed in flat memory, and the connection is settled when the stream ends: whole, torn,
//! or left by its client.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod function;

use std::fs;
use std::time::Duration;

use function::Function;
use function::server::Server;
use lambda_bench::lambda::{Answer, Builder, Event};
use lambda_bench::wait::until;
use serde_json::Value;
use tokio::time::Instant;

const OVER: [&str; 2] = ["pool", "lease"];

async fn start(server: &impl Server) -> Function {
    // A million rows take longer than other invocations.
    let change = |sandbox: Builder| sandbox.timeout(Duration::from_secs(120));
    Function::start_sandbox(env!("CARGO_BIN_EXE_streaming"), server, &[], change).await
}

/// The rows from 1 to `count`, and no other.
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

async fn told(function: &Function) -> Value {
    function.invoke("/").await.ok().json()
}

/// What the function has had in memory at most, in KiB.
fn peak(function: &Function) -> u64 {
    let status =
        fs::read_to_string(format!("/proc/{}/status", function.sandbox.pid())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let figure = line.and_then(|line| line.trim().strip_suffix(" kB"));
    figure
        .and_then(|figure| figure.trim().parse().ok())
        .expect("a figure")
}

fn is_idle(state: &str) -> bool {
    matches!(state, "idle" | "Sleep" | "")
}

on_each_server_and_runtime! {
    /// Whatever its length.
    async fn a_stream_leaves_the_connection_trusted(server: &impl Server) {
        let function = start(server).await;
        for over in OVER {
            // Longer than `check_timeout`, which what is left after the handler may take, and than
            // `verify_after`, in which the connection was used all the time.
            let answer = function
                .invoke(&format!("/?over={over}&rows=20000&nap=120"))
                .await;
            assert_rows(&answer, 20_000);
            assert!(answer.took > Duration::from_millis(1_200), "{answer:?}");
            let before = told(&function).await;
            let answer = function.invoke(&format!("/?over={over}&rows=10")).await;
            assert_rows(&answer, 10);
            let after = told(&function).await;
            for figure in ["opened", "checked", "stale", "discarded"] {
                assert_eq!(before[figure], after[figure], "{over}, {figure}");
            }
        }
        // The pool's, and the one that the handlers of a connection and of a lease share.
        assert_eq!(function.proxy.connections(), 2);
        assert_eq!(server.sessions().await.len(), 2);
    }

    async fn a_stream_that_fails_costs_nobody_else_anything(server: &impl Server) {
        let function = start(server).await;
        for over in OVER {
            for _ in 0..3 {
                let answer = function.invoke(&format!("/?over={over}&rows=100000&fail_at=50000")).await;
                let error = answer.http().stream_error.as_ref().expect("it was torn");
                assert!(error.message.contains("the row fails"), "{error:?}");
                let answer = function.invoke(&format!("/?over={over}&rows=1000")).await;
                assert_rows(&answer, 1_000);
            }
        }
        assert!(server.sessions().await.len() <= 2);
    }

    async fn a_client_that_leaves_frees_the_connection_soon(server: &impl Server) {
        let function = start(server).await;
        for over in OVER {
            for _ in 0..3 {
                let event = Event::get(&format!("/?over={over}&rows=1000000")).leaves_after(100_000);
                let answer = function.sandbox.invoke(event).await;
                assert!(answer.ok().text().len() < 10_000_000);
                let free = async || server.sessions().await.iter().all(|session| is_idle(&session.state));
                let left = Instant::now();
                until("the end of the query", free).await;
                let took = left.elapsed();
                println!("{over}: freed after {took:?}");
                // A third of a second where nothing else runs; a busy machine may need more.
                assert!(took < Duration::from_secs(3), "{over}: {took:?}");
                function.sandbox.frozen().await;
                let answer = function.invoke(&format!("/?over={over}&rows=1000")).await;
                assert_rows(&answer, 1_000);
            }
        }
        assert!(server.sessions().await.len() <= 2);
    }

    async fn no_connection_is_a_503(server: &impl Server) {
        let function = start(server).await;
        function.proxy.refuse().await;
        for over in OVER {
            let answer = function.sandbox.invoke(Event::get(&format!("/?over={over}&rows=10"))).await;
            assert_eq!((answer.status(), answer.header("retry-after")), (503, Some("1")), "{answer:?}");
            assert_eq!(answer.json()["error"], "the database is not available");
        }
    }
}

on_each_server! {
    async fn a_million_rows_need_no_more_memory_than_ten_thousand(server: &impl Server) {
        for over in OVER {
            let function = start(server).await;
            assert_rows(&function.invoke(&format!("/?over={over}&rows=10000")).await, 10_000);
            let before = peak(&function);
            let event = Event::get(&format!("/?over={over}&rows=1000000"));
            let answer = function.sandbox.invoke(event).await;
            assert_rows(&answer, 1_000_000);
            let (after, first_byte) = (peak(&function), answer.http().first_byte.expect("it was streamed"));
            println!("{over}: peak {before} KiB, then {after} KiB; first byte {first_byte:?} of {:?}", answer.took);
            assert!(after < before + 4 * 1024, "{over}: {before} KiB, then {after} KiB");
            assert!(first_byte < answer.took / 2, "{over}: {first_byte:?} of {:?}", answer.took);
        }
    }
}
