//! An invocation without a connection answers 503 before the deadline, and with no function error.

use std::time::Duration;

use lambda_bench::lambda::{Answer, Builder};
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, RUN, Reply, program};
use reuse_db_tests::{on_each_server, on_each_server_and_runtime};

/// The deadline of each invocation. Connecting ends 250 ms before.
const DEADLINE: Duration = Duration::from_secs(2);

/// Starts the function without its server.
async fn without_a_server(server: &impl Server, run: &str) -> Function {
    let change = |builder: Builder| builder.timeout(DEADLINE);
    let env = [("RUN", run)];
    let function = Function::start_sandbox(program("function"), server, &env, change).await;
    function.proxy.refuse().await;
    // The start of the process takes no time of the invocations that follow.
    function.sandbox.frozen().await;
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
    async fn an_error_of_a_lease_is_a_503_in_each_wrapping_error(server: &impl Server) {
        let function = without_a_server(server, RUN.get()).await;
        for path in ["/add", "/wrapped?how=sqlx", "/wrapped?how=enum", "/wrapped?how=io"] {
            let answer = function.invoke(path).await;
            assert_503(&answer);
        }
        function.proxy.accept().await;
        assert_eq!(Reply::of(&function.invoke("/add?n=7").await).sum, 8);
        assert_eq!(function.sandbox.starts(), 1);
    }

    async fn every_other_error_stays_a_function_error(server: &impl Server) {
        let function = without_a_server(server, RUN.get()).await;
        // The first error contains the text of the lease's error, and the second nothing of it.
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
    async fn a_permanent_error_is_a_function_error(server: &impl Server) {
        let url = server.url().replace("s3cret", "wr0ng");
        let function = Function::start_with(server, &[("DATABASE_URL", &url)]).await;
        let answer = function.invoke("/add").await;
        assert!(answer.error().message.contains("rejected"), "{answer:?}");
    }

    async fn the_503_can_be_turned_off(server: &impl Server) {
        let answer = without_a_server(server, "errors").await.invoke("/add").await;
        assert!(answer.error().message.contains("unavailable"), "{answer:?}");
    }

    async fn the_503_can_be_another_response(server: &impl Server) {
        let function = without_a_server(server, "own-response").await;
        let answer = function.invoke("/wrapped?how=enum").await;
        assert_eq!(answer.status(), 429, "{answer:?}");
        let text = answer.text();
        assert!(text.starts_with("Some(Unavailable): "), "{text}");
        assert!(text.contains("Connection refused"), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}
