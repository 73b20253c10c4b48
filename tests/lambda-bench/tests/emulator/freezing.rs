//! The freeze between invocations, and SnapStart.

use lambda_bench::lambda::Event;
use lambda_bench::wait::until;

use super::function;

#[tokio::test]
async fn the_freeze_waits_until_the_function_asks_for_the_next_event() {
    let sandbox = function().start().await;
    sandbox.frozen().await;
    assert_eq!(sandbox.freezes(), 1, "after its initialization");

    let answer = sandbox.invoke(Event::get("/after?ms=300")).await;
    assert_eq!(answer.ok().json(), "work is pending");
    assert!(
        !sandbox.output().contains("worked after the response"),
        "the answer waited for the work after it"
    );
    sandbox.frozen().await;
    // A process that was frozen too early could not write this.
    until("the work after the response", async || {
        sandbox.output().contains("worked after the response")
    })
    .await;
    assert_eq!(sandbox.freezes(), 2);
}

#[tokio::test]
async fn an_invocation_or_the_test_thaws_a_frozen_process() {
    let sandbox = function().start().await;
    sandbox.frozen().await;
    let pid = sandbox.pid();
    sandbox.invoke(Event::get("/hello")).await.ok();
    assert_eq!(sandbox.pid(), pid);

    sandbox.frozen().await;
    sandbox.thaw();
    until("the thaw", async || sandbox.process_state() != Some('T')).await;
    assert!(!sandbox.is_frozen());
    sandbox.freeze();
    sandbox.frozen().await;
}

#[tokio::test]
async fn freezing_can_be_disabled() {
    let sandbox = function().freezing(false).start().await;
    sandbox.invoke(Event::get("/hello")).await.ok();
    sandbox.idle().await;
    assert_eq!((sandbox.freezes(), sandbox.is_frozen()), (0, false));
    assert_ne!(sandbox.process_state(), Some('T'));
}

#[tokio::test]
async fn a_snapshot_is_taken_before_the_first_invocation() {
    let sandbox = function().snap_start().start().await;
    sandbox.frozen().await;
    assert!(sandbox.output().contains("before the snapshot"));
    assert!(!sandbox.output().contains("after the restore"));
    sandbox.invoke(Event::get("/hello")).await.ok();
    assert!(sandbox.output().contains("after the restore"));
    sandbox.frozen().await;
    assert_eq!(sandbox.freezes(), 2);
}

#[tokio::test]
async fn the_freeze_waits_until_an_extension_asks_for_the_next_event() {
    let sandbox = function().env("TEST_EXTENSION", "300").start().await;
    sandbox.frozen().await;
    sandbox.invoke(Event::get("/hello")).await.ok();
    sandbox.frozen().await;
    until("the extension's work", async || {
        sandbox.output().contains("the extension has worked")
    })
    .await;
    assert_eq!(sandbox.freezes(), 2);
}
