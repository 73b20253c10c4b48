//! An invocation that gets no connection, now but later, answers 503 in time, and not with a function
//! error.

mod function;

use std::time::Duration;

use function::server::Server;
use function::{Function, Reply};
use lambda_bench::lambda::{Answer, Event};

/// A function whose server cannot be reached, so that a lease is refused before this deadline.
async fn start(server: &impl Server, run: &str) -> Function {
    let env = [("RUN", run)];
    let function = Function::start_with(server, &env).await;
    function.proxy.refuse().await;
    function
}

#[track_caller]
fn assert_503(answer: &Answer) {
    assert_eq!(answer.status(), 503, "{answer:?}");
    assert_eq!(answer.header("retry-after"), Some("1"), "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/json"),
        "{answer:?}"
    );
    let body = answer.text();
    assert_eq!(body, r#"{"error":"the database is not available"}"#);
}

on_each_server_and_runtime! {
    /// Whatever the handler wrapped it in; the cause goes to the log.
    async fn a_refusal_is_a_503(server: &impl Server) {
        let function = Function::start(server).await;
        function.proxy.refuse().await;
        for path in ["/add", "/wrapped?how=sqlx", "/wrapped?how=enum", "/wrapped?how=io"] {
            let answer = function.invoke(path).await;
            assert_503(&answer);
            assert!(answer.took < Duration::from_secs(8), "before the deadline: {answer:?}");
        }
        function.proxy.accept().await;
        assert_eq!(Reply::of(&function.invoke("/add?n=7").await).sum, 8);
        assert_eq!(function.sandbox.starts(), 1);
    }

    async fn another_error_passes_as_it_is(server: &impl Server) {
        let function = Function::start(server).await;
        function.proxy.refuse().await;
        // Its text says no more than that there was a refusal once, or nothing.
        let answer = function.invoke("/wrapped?how=text").await;
        assert!(answer.error().message.contains("Connection refused"), "{answer:?}");
        let answer = function.invoke("/wrapped?how=other").await;
        assert!(answer.error().message.contains("the handler failed"), "{answer:?}");
        function.proxy.accept().await;
        let answer = function.invoke("/end?how=fail").await;
        assert!(answer.error().message.contains("the handler failed"), "{answer:?}");
    }
}

on_each_server! {
    async fn what_will_not_pass_is_an_error(server: &impl Server) {
        let url = server.url().replace("s3cret", "wr0ng");
        let function = Function::start_with(server, &[("DATABASE_URL", &url)]).await;
        let answer = function.invoke("/add").await;
        assert!(answer.error().message.contains("rejected"), "{answer:?}");
    }

    async fn it_can_be_turned_off(server: &impl Server) {
        let answer = start(server, "errors").await.invoke("/add").await;
        assert!(answer.error().message.contains("unavailable"), "{answer:?}");
    }

    async fn it_can_be_the_users_own(server: &impl Server) {
        let answer = start(server, "own-response").await.invoke("/wrapped?how=enum").await;
        assert_eq!(answer.status(), 429, "{answer:?}");
        let text = answer.text();
        assert!(text.starts_with("Some(Unavailable): ") && text.contains("Connection refused"), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }

    /// One line after each response: what the invocation did, each event once.
    async fn metrics_are_printed_on_request(server: &impl Server) {
        let function = Function::start_with(server, &[("RUN", "metrics")]).await;
        for n in 0..3 {
            function.add(n).await;
        }
        function.sandbox.invoke(Event::get("/end?how=panic")).await;
        function.sandbox.frozen().await;
        let output = function.sandbox.output();
        let lines = output.lines().filter_map(|line| line.find("{\"").map(|at| &line[at..]));
        let lines: Vec<serde_json::Value> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
        let figures = |name: &str| lines.iter().filter_map(|line| line[name].as_u64()).collect::<Vec<_>>();
        assert_eq!(figures("Opened"), [1, 0, 0, 0], "{output}");
        assert_eq!(figures("Reused"), [0, 1, 1, 1], "{output}");
        assert_eq!(figures("Discarded"), [0, 0, 0, 1], "{output}");
        for line in &lines {
            assert_eq!(line["FunctionName"], "bench");
            assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Namespace"], "bench");
        }
    }
}
