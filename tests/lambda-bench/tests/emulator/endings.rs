//! Deadlines, crashes and shutdown.

use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};

use lambda_bench::lambda::Event;
use lambda_bench::wait::until;

use super::function;

const SIGKILL: Option<i32> = Some(9);

#[tokio::test]
async fn a_process_past_its_deadline_is_killed_and_replaced() {
    let sandbox = function().timeout(Duration::from_millis(500)).start().await;
    let pid = sandbox.pid();
    let answer = sandbox.invoke(Event::get("/sleep?ms=60000")).await;
    assert!(answer.timed_out(), "{answer:?}");
    assert!(answer.took >= Duration::from_millis(500));
    assert_eq!(
        sandbox.invoke(Event::get("/hello")).await.ok().json()["visits"],
        1
    );
    assert_ne!(sandbox.pid(), pid);
    assert_eq!(sandbox.starts(), 2);
}

#[tokio::test]
async fn work_after_the_response_counts_towards_the_deadline() {
    let sandbox = function().timeout(Duration::from_millis(500)).start().await;
    sandbox.invoke(Event::get("/after?ms=60000")).await.ok();
    until("the end of the process", async || {
        sandbox.process_state().is_none_or(|state| state == 'Z')
    })
    .await;
    sandbox.invoke(Event::get("/hello")).await.ok();
    assert_eq!(sandbox.starts(), 2);
}

#[tokio::test]
async fn an_exit_or_abort_is_a_crash() {
    let sandbox = function().start().await;
    let answer = sandbox.invoke(Event::get("/exit")).await;
    assert_eq!(answer.crash().code(), Some(3));
    let answer = sandbox.invoke(Event::get("/abort")).await;
    assert_eq!(answer.crash().signal(), Some(6));
    sandbox.invoke(Event::get("/hello")).await.ok();
    assert_eq!(sandbox.starts(), 3);
}

#[tokio::test]
async fn a_failed_initialization_fails_the_invocation() {
    let sandbox = function().env("TEST_INIT", "exit").start().await;
    assert_eq!(
        sandbox.invoke(Event::get("/hello")).await.crash().code(),
        Some(7)
    );

    let sandbox = function()
        .env("TEST_INIT", "error")
        .snap_start()
        .start()
        .await;
    assert_eq!(
        sandbox.invoke(Event::get("/hello")).await.error().message,
        "not today"
    );
}

#[tokio::test]
async fn an_initialization_past_its_limit_is_killed() {
    let limit = Duration::from_millis(500);
    let builder = function().env("TEST_INIT", "hang").init_timeout(limit);
    let sandbox = builder.start().await;
    let start = Instant::now();
    let answer = sandbox.invoke(Event::get("/hello")).await;
    assert!(answer.timed_out(), "{answer:?}");
    // The limit began with the process, slightly before `start`.
    assert!(
        (limit / 2..limit * 10).contains(&start.elapsed()),
        "{answer:?}"
    );
}

#[tokio::test]
async fn only_a_function_with_an_extension_gets_sigterm() {
    let with = function().env("TEST_EXTENSION", "shutdown").start().await;
    with.frozen().await;
    assert_eq!(with.shutdown().await.code(), Some(0));
    assert!(
        with.output().contains("goodbye"),
        "the frozen function did not handle SIGTERM"
    );

    let without = function().start().await;
    without.frozen().await;
    assert_eq!(without.shutdown().await.signal(), SIGKILL);
}

#[tokio::test]
async fn a_process_can_be_terminated_killed_or_dropped() {
    let sandbox = function().start().await;
    sandbox.frozen().await;
    assert_eq!(
        sandbox.terminate().await.signal(),
        Some(15),
        "the function does not handle SIGTERM"
    );
    sandbox.invoke(Event::get("/hello")).await.ok();
    sandbox.frozen().await;
    sandbox.thaw();
    assert_eq!(
        sandbox.kill().await.signal(),
        SIGKILL,
        "SIGTERM was sent first"
    );
    sandbox.invoke(Event::get("/hello")).await.ok();
    assert_eq!(sandbox.starts(), 3);

    sandbox.frozen().await;
    let process = format!("/proc/{}/stat", sandbox.pid());
    drop(sandbox);
    let gone = async || !std::fs::read_to_string(&process).is_ok_and(|stat| stat.contains(") T "));
    until(
        "the end of a frozen process whose sandbox was dropped",
        gone,
    )
    .await;
}
