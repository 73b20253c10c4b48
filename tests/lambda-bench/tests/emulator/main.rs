//! The promises of the Lambda emulator, on a function without a database.

mod endings;
mod freezing;

use std::sync::Arc;
use std::time::{Duration, Instant};

use lambda_bench::lambda::{Builder, Event, Sandbox};
use lambda_bench::wait::until;
use serde_json::json;

fn function() -> Builder {
    Sandbox::builder(env!("CARGO_BIN_EXE_test_function"))
}

#[tokio::test]
async fn one_process_serves_invocation_after_invocation() {
    let sandbox = function().start().await;
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
    let sandbox = function().start().await;
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
async fn the_function_has_lambdas_environment_and_no_other() {
    let sandbox = function().env("MINE", "yes").start().await;
    let env = sandbox.invoke(Event::get("/env")).await.json();
    assert_eq!(env["MINE"], "yes");
    assert_eq!(env["AWS_LAMBDA_INITIALIZATION_TYPE"], "on-demand");
    // Cargo sets this one for the tests.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    assert!(env["CARGO_MANIFEST_DIR"].is_null(), "{env}");
}

#[tokio::test]
async fn a_function_can_be_started_by_a_launcher() {
    let sandbox = Sandbox::builder("/usr/bin/env")
        .argument("LAUNCHED=yes")
        .argument(env!("CARGO_BIN_EXE_test_function"))
        .start()
        .await;
    let env = sandbox.invoke(Event::get("/env")).await.json();
    assert_eq!(env["LAUNCHED"], "yes", "{env}");
}

#[tokio::test]
async fn an_event_has_its_deadline() {
    let sandbox = function().timeout(Duration::from_secs(7)).start().await;
    let answer = sandbox.invoke(Event::get("/deadline")).await.json();
    let left =
        answer["deadline"].as_u64().expect("a number") - answer["now"].as_u64().expect("a number");
    assert!((4_000..=7_000).contains(&left), "{left} ms left of 7 s");
}

#[tokio::test]
async fn errors_and_panics_are_function_errors() {
    let sandbox = function().start().await;
    let answer = sandbox.invoke(Event::get("/fail")).await;
    assert_eq!(answer.error().message, "no luck");
    let answer = sandbox.invoke(Event::get("/panic")).await;
    assert!(answer.error().message.contains("help"), "{answer:?}");
    let answer = sandbox
        .invoke(Event::json(json!({ "no": "request" })))
        .await;
    assert!(!answer.error().error_type.is_empty());
    assert_eq!(sandbox.starts(), 1, "lambda_runtime ended after an error");
}

#[tokio::test]
async fn concurrent_invocations_have_a_worker_each() {
    let sandbox = Arc::new(function().concurrency(2).start().await);
    let meet = || {
        let sandbox = sandbox.clone();
        tokio::spawn(async move {
            sandbox.invoke(Event::get("/meet")).await.ok().json()["first"] == true
        })
    };
    let (one, two) = (meet(), meet());
    let (one, two) = (one.await.expect("an answer"), two.await.expect("an answer"));
    assert!(one != two, "exactly one of the two arrives first");
    sandbox.frozen().await;

    // A worker that is still busy after its response delays the freeze.
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
async fn a_single_worker_serves_invocations_one_after_another() {
    let sandbox = function().start().await;
    let (one, two, three) = tokio::join!(
        sandbox.invoke(Event::get("/hello")),
        sandbox.invoke(Event::get("/hello")),
        sandbox.invoke(Event::get("/hello")),
    );
    let visits = [one, two, three].map(|answer| answer.ok().json()["visits"].clone());
    assert_eq!(visits, [1, 2, 3]);
}

#[tokio::test]
async fn responses_can_be_streamed() {
    let sandbox = function().env("TEST_STREAMING", "1").start().await;
    sandbox.idle().await;
    let start = Instant::now();
    let answer = sandbox.invoke(Event::get("/")).await;
    assert_eq!(answer.ok().text(), "first second");
    assert_eq!(
        answer.header("content-type"),
        Some("application/octet-stream")
    );
    let first_byte = answer
        .http()
        .first_byte
        .expect("a streamed response has a first byte");
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
async fn a_client_can_disconnect_during_a_stream() {
    let sandbox = function().env("TEST_STREAMING", "1").start().await;
    let answer = sandbox.invoke(Event::get("/").leaves_after(1)).await;
    assert_eq!(answer.ok().text(), "first ");
    let answer = sandbox.invoke(Event::get("/")).await;
    assert_eq!(answer.ok().text(), "first second");
    assert_eq!(sandbox.starts(), 1);
}
