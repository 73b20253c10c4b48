//! What the Lambda emulator promises, on a function without a database.

use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lambda_bench::lambda::{Builder, Event, Sandbox};
use lambda_bench::wait::until;
use serde_json::json;

const SIGKILL: Option<i32> = Some(9);

fn plain() -> Builder {
    Sandbox::builder(env!("CARGO_BIN_EXE_test_function"))
}

#[tokio::test]
async fn one_process_serves_invocation_after_invocation() {
    let sandbox = plain().start().await;
    for visit in 1..=3 {
        let answer = sandbox.invoke(Event::get("/hello?name=J%C3%BCrgen")).await;
        assert_eq!(
            answer.ok().json(),
            json!({ "hello": "Jürgen", "visits": visit })
        );
    }
    assert_eq!(sandbox.starts(), 1);
    assert_eq!(sandbox.invoke(Event::get("/nowhere")).await.status(), 404);
}

#[tokio::test]
async fn requests_and_responses_arrive_whole() {
    let sandbox = plain().start().await;
    let answer = sandbox
        .invoke(
            Event::post("/echo", "hej")
                .header("X-Sent", "one")
                .header("x-sent", "two"),
        )
        .await;
    assert_eq!(answer.ok().text(), "hej");
    assert_eq!(answer.header("x-echo"), Some("one,two"));
    let cookies = answer
        .http()
        .headers
        .get_all("set-cookie")
        .iter()
        .collect::<Vec<_>>();
    assert_eq!(cookies, ["a=1", "b=2"]);
    let bytes = [0xff, 0x00, 0xfe];
    assert_eq!(
        sandbox
            .invoke(Event::post("/echo", bytes))
            .await
            .http()
            .body,
        bytes
    );
}

#[tokio::test]
async fn the_environment_is_lambdas_and_nothing_else() {
    let sandbox = plain().env("MINE", "yes").start().await;
    let env = sandbox.invoke(Event::get("/env")).await.json();
    assert_eq!(env["MINE"], "yes");
    assert_eq!(env["AWS_LAMBDA_INITIALIZATION_TYPE"], "on-demand");
    // Cargo sets this one for the tests.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    assert!(env["CARGO_MANIFEST_DIR"].is_null(), "{env}");
}

#[tokio::test]
async fn it_is_frozen_when_it_asks_for_the_next_event_and_not_before() {
    let sandbox = plain().start().await;
    sandbox.frozen().await;
    assert_eq!(sandbox.freezes(), 1, "after its initialization");

    let answer = sandbox.invoke(Event::get("/after?ms=300")).await;
    assert_eq!(answer.ok().json(), "work is left");
    assert!(
        !sandbox.output().contains("worked after the response"),
        "the answer did not wait for that"
    );
    sandbox.frozen().await;
    // A frozen process cannot say so any more.
    until("the work after the response", async || {
        sandbox.output().contains("worked after the response")
    })
    .await;
    assert_eq!(sandbox.freezes(), 2);
}

#[tokio::test]
async fn a_frozen_process_is_thawed_by_an_invocation_or_by_hand() {
    let sandbox = plain().start().await;
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
async fn freezing_can_be_off() {
    let sandbox = plain().freezing(false).start().await;
    sandbox.invoke(Event::get("/hello")).await.ok();
    sandbox.idle().await;
    assert_eq!((sandbox.freezes(), sandbox.is_frozen()), (0, false));
    assert_ne!(sandbox.process_state(), Some('T'));
}

#[tokio::test]
async fn the_function_is_told_its_deadline() {
    let sandbox = plain().timeout(Duration::from_secs(7)).start().await;
    let answer = sandbox.invoke(Event::get("/deadline")).await.json();
    let left =
        answer["deadline"].as_u64().expect("a number") - answer["now"].as_u64().expect("a number");
    assert!((4_000..=7_000).contains(&left), "{left} ms left of 7 s");
}

#[tokio::test]
async fn past_its_deadline_it_is_killed_and_the_next_is_a_cold_start() {
    let sandbox = plain().timeout(Duration::from_millis(500)).start().await;
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
async fn work_after_the_response_counts_in_the_deadline() {
    let sandbox = plain().timeout(Duration::from_millis(500)).start().await;
    sandbox.invoke(Event::get("/after?ms=60000")).await.ok();
    until("its end", async || {
        sandbox.process_state().is_none_or(|state| state == 'Z')
    })
    .await;
    sandbox.invoke(Event::get("/hello")).await.ok();
    assert_eq!(sandbox.starts(), 2);
}

#[tokio::test]
async fn errors_and_panics_are_function_errors() {
    let sandbox = plain().start().await;
    let answer = sandbox.invoke(Event::get("/fail")).await;
    assert_eq!(answer.error().message, "no luck");
    let answer = sandbox.invoke(Event::get("/panic")).await;
    assert!(answer.error().message.contains("help"), "{answer:?}");
    let answer = sandbox
        .invoke(Event::json(json!({ "no": "request" })))
        .await;
    assert!(!answer.error().error_type.is_empty());
    assert_eq!(sandbox.starts(), 1, "lambda_runtime survives all of them");
}

#[tokio::test]
async fn a_process_that_ends_has_crashed() {
    let sandbox = plain().start().await;
    let answer = sandbox.invoke(Event::get("/exit")).await;
    assert_eq!(answer.crash().code(), Some(3));
    let answer = sandbox.invoke(Event::get("/abort")).await;
    assert_eq!(answer.crash().signal(), Some(6));
    sandbox.invoke(Event::get("/hello")).await.ok();
    assert_eq!(sandbox.starts(), 3);
}

#[tokio::test]
async fn initialization_can_fail() {
    let sandbox = plain().env("PLAIN_INIT", "exit").start().await;
    assert_eq!(
        sandbox.invoke(Event::get("/hello")).await.crash().code(),
        Some(7)
    );

    let sandbox = plain()
        .env("PLAIN_INIT", "error")
        .snap_start()
        .start()
        .await;
    assert_eq!(
        sandbox.invoke(Event::get("/hello")).await.error().message,
        "not today"
    );
}

#[tokio::test]
async fn initialization_has_a_limit() {
    let sandbox = plain().env("PLAIN_INIT", "hang").start().await;
    let answer = sandbox.invoke(Event::get("/hello")).await;
    assert!(answer.timed_out(), "{answer:?}");
    assert!(answer.took >= Duration::from_secs(9), "{answer:?}");
}

#[tokio::test]
async fn a_snapshot_is_taken_before_the_first_invocation() {
    let sandbox = plain().snap_start().start().await;
    sandbox.frozen().await;
    assert!(sandbox.output().contains("before the snapshot"));
    assert!(!sandbox.output().contains("after the restore"));
    sandbox.invoke(Event::get("/hello")).await.ok();
    assert!(sandbox.output().contains("after the restore"));
    sandbox.frozen().await;
    assert_eq!(sandbox.freezes(), 2);
}

#[tokio::test]
async fn a_worker_each_takes_concurrent_invocations() {
    let sandbox = Arc::new(plain().concurrency(2).start().await);
    let meet = || {
        let sandbox = sandbox.clone();
        tokio::spawn(async move {
            sandbox.invoke(Event::get("/meet")).await.ok().json()["first"] == true
        })
    };
    let (one, two) = (meet(), meet());
    let (one, two) = (one.await.expect("an answer"), two.await.expect("an answer"));
    assert!(one != two, "they met, and one of them was first");
    sandbox.frozen().await;

    // Both have to ask: one that is still at work after its response keeps it from freezing.
    let freezes = sandbox.freezes();
    sandbox.invoke(Event::get("/after?ms=300")).await.ok();
    sandbox.frozen().await;
    until("the work after the response", async || {
        sandbox.output().contains("worked after the response")
    })
    .await;
    assert_eq!(sandbox.freezes(), freezes + 1);
}

#[tokio::test]
async fn without_workers_invocations_wait_for_each_other() {
    let sandbox = plain().start().await;
    let (one, two, three) = tokio::join!(
        sandbox.invoke(Event::get("/hello")),
        sandbox.invoke(Event::get("/hello")),
        sandbox.invoke(Event::get("/hello")),
    );
    let visits = [one, two, three].map(|answer| answer.ok().json()["visits"].clone());
    assert_eq!(visits, [1, 2, 3]);
}

#[tokio::test]
async fn an_extension_keeps_it_from_freezing_until_it_asks_too() {
    let sandbox = plain().env("PLAIN_EXTENSION", "300").start().await;
    sandbox.frozen().await;
    sandbox.invoke(Event::get("/hello")).await.ok();
    sandbox.frozen().await;
    until("the extension's work", async || {
        sandbox.output().contains("the extension has worked")
    })
    .await;
    assert_eq!(sandbox.freezes(), 2);
}

#[tokio::test]
async fn sigterm_reaches_it_only_with_an_extension() {
    let with = plain().env("PLAIN_EXTENSION", "shutdown").start().await;
    with.frozen().await;
    assert_eq!(with.shutdown().await.code(), Some(0));
    assert!(with.output().contains("goodbye"), "it was thawed to say so");

    let without = plain().start().await;
    without.frozen().await;
    assert_eq!(without.shutdown().await.signal(), SIGKILL);
}

#[tokio::test]
async fn it_can_be_ended_in_other_ways() {
    let sandbox = plain().start().await;
    sandbox.frozen().await;
    assert_eq!(
        sandbox.terminate().await.signal(),
        Some(15),
        "as it handles no SIGTERM"
    );
    sandbox.invoke(Event::get("/hello")).await.ok();
    sandbox.frozen().await;
    sandbox.thaw();
    assert_eq!(sandbox.kill().await.signal(), SIGKILL, "no SIGTERM before");
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

#[tokio::test]
async fn responses_can_be_streamed() {
    let sandbox = plain().env("PLAIN_STREAMING", "1").start().await;
    sandbox.idle().await;
    let start = Instant::now();
    let answer = sandbox.invoke(Event::get("/")).await;
    assert_eq!(answer.ok().text(), "first second");
    assert_eq!(
        answer.header("content-type"),
        Some("application/octet-stream")
    );
    let first_byte = answer.http().first_byte.expect("it was streamed");
    assert!(
        first_byte + Duration::from_millis(200) < answer.took,
        "{first_byte:?} {:?}",
        start.elapsed()
    );
    assert_eq!(answer.http().stream_error, None);

    let answer = sandbox.invoke(Event::get("/fail")).await;
    assert_eq!(answer.text(), "first ");
    assert_eq!(
        answer
            .http()
            .stream_error
            .as_ref()
            .map(|error| &*error.message),
        Some("torn")
    );
}

#[tokio::test]
async fn a_client_can_leave_in_the_middle_of_a_stream() {
    let sandbox = plain().env("PLAIN_STREAMING", "1").start().await;
    let answer = sandbox.invoke(Event::get("/").leaves_after(1)).await;
    assert_eq!(answer.ok().text(), "first ");
    let answer = sandbox.invoke(Event::get("/")).await;
    assert_eq!(answer.ok().text(), "first second");
    assert_eq!(sandbox.starts(), 1);
}
