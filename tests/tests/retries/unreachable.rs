//! An error of connecting names the cause, in time, and contains no secret.

use std::time::Duration;

use lambda_bench::lambda::{Builder, Event, Sandbox};
use lambda_bench::servers::{Mysql, Postgres};
use lambda_bench::wait::until;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, Reply, program};
use reuse_db_tests::on_each_server;
use sqlx::{MySqlConnection, PgConnection};

use super::fill;

/// The default `connect_timeout` (5 s), and the delay of a busy machine.
const IN_TIME: Duration = Duration::from_secs(9);

/// Before the default `connect_timeout`, a cold start included: the first attempt is the last.
const AT_ONCE: Duration = Duration::from_millis(4_500);

/// The value of `RUN` that turns the 503 off, so that a test can read the error.
const ERRORS: &str = "errors";

/// A deadline that ends connecting before the default `connect_timeout`.
const NEAR_DEADLINE: Duration = Duration::from_secs(3);

async fn sandbox(url: Option<&str>) -> Sandbox {
    let builder = Sandbox::builder(program("function"))
        .env("RUN", ERRORS)
        .timeout(Duration::from_secs(10));
    match url {
        Some(url) => builder.env("DATABASE_URL", url).start().await,
        None => builder.start().await,
    }
}

/// Returns the error of an invocation, and its latency.
async fn error(sandbox: &Sandbox, path: &str) -> (String, Duration) {
    let answer = sandbox.invoke(Event::get(path)).await;
    let message = answer.error().message.clone();
    assert!(!message.contains("s3cret"), "{message}");
    assert!(!sandbox.output().contains("s3cret"), "{}", sandbox.output());
    (message, answer.took)
}

async fn names_a_server_that_is_down(server: &impl Server, path: &str) {
    let near = |builder: Builder| builder.timeout(NEAR_DEADLINE);
    let env = [("RUN", ERRORS)];
    let function = Function::start_sandbox(program("function"), server, &env, near).await;
    server.stop().await;
    function.proxy.refuse().await;
    for _ in 0..2 {
        let (message, _) = error(&function.sandbox, path).await;
        let target = function.proxy.addr().to_string();
        assert!(
            message.contains(&target) && message.contains("Connection refused"),
            "{message}"
        );
    }
    server.start_again().await;
    function.proxy.accept().await;
    assert_eq!(
        Reply::of(&function.invoke(&format!("{path}?n=7")).await).sum,
        8
    );
}

async fn is_rejected_at_once(server: &impl Server, url: &str, path: &str) {
    let sandbox = sandbox(Some(url)).await;
    let (message, took) = error(&sandbox, path).await;
    assert!(
        message.contains("rejected") && message.contains("(1 attempt in"),
        "{message}"
    );
    assert!(message.contains(&server.addr().to_string()), "{message}");
    assert!(took < AT_ONCE, "{took:?}: {message}");
}

on_each_server! {
    async fn the_error_names_a_server_that_is_down(server: &impl Server) {
        names_a_server_that_is_down(server, "/add").await;
    }

    async fn the_error_of_a_pool_names_a_server_that_is_down(server: &impl Server) {
        names_a_server_that_is_down(server, "/pool").await;
    }

    async fn a_silent_server_is_an_error_after_connect_timeout(server: &impl Server) {
        let function = Function::start_with(server, &[("RUN", ERRORS)]).await;
        function.proxy.black_hole_new(true);
        let (message, took) = error(&function.sandbox, "/add").await;
        assert!(message.contains("no answer in time"), "{message}");
        assert!(took < IN_TIME, "{took:?}: {message}");
        function.proxy.black_hole_new(false);
        function.add(7).await;
    }

    async fn connecting_ends_before_the_deadline_of_the_function(server: &impl Server) {
        server.stop().await;
        let sandbox = Sandbox::builder(program("function"))
            .env("DATABASE_URL", server.url())
            .env("RUN", ERRORS)
            .timeout(NEAR_DEADLINE)
            .start()
            .await;
        let (message, _) = error(&sandbox, "/nowhere").await;
        assert!(message.contains("no route"), "the process has started: {message}");
        // Lambda kills a process that misses its deadline.
        for path in ["/add", "/pool", "/note"] {
            let (message, _) = error(&sandbox, path).await;
            assert!(message.contains("Connection refused"), "{path}: {message}");
        }
        assert_eq!(sandbox.starts(), 1);
    }

    async fn a_wrong_password_is_not_retried(server: &impl Server) {
        let url = server.url().replace("s3cret", "wr0ng");
        is_rejected_at_once(server, &url, "/add").await;
        is_rejected_at_once(server, &url, "/pool").await;
    }

    async fn an_unknown_database_is_not_retried(server: &impl Server) {
        let url = format!("{}_of_nobody", server.url());
        is_rejected_at_once(server, &url, "/add").await;
    }
}

#[tokio::test]
async fn an_unset_or_malformed_url_is_an_error_that_names_the_variable() {
    let (message, _) = error(&sandbox(None).await, "/add").await;
    assert!(
        message.contains("the environment variable `DATABASE_URL` is not set"),
        "{message}"
    );
    for (url, text) in [
        ("", "is empty"),
        ("app:s3cret@localhost", "is not a database URL"),
        ("oracle://app:s3cret@localhost/app", "is a `oracle:` URL"),
        (
            "postgres://app:s3cret@localhost:port/app",
            "is not a usable database URL",
        ),
        (
            "postgres://app:s3cret#x@localhost/app",
            "is not a usable database URL",
        ),
    ] {
        for path in ["/add", "/note", "/pool"] {
            let (message, took) = error(&sandbox(Some(url)).await, path).await;
            assert!(
                message.contains("the environment variable `DATABASE_URL`")
                    && message.contains(text),
                "{message}"
            );
            assert!(took < AT_ONCE, "{took:?}: {message}");
        }
    }
}

/// `held` are all connections of the server for the function's user.
async fn waits_for_a_connection<C>(server: &impl Server, held: Vec<C>) {
    let function = Function::start_with(server, &[("RUN", ERRORS)]).await;
    let (message, took) = error(&function.sandbox, "/add").await;
    assert!(message.contains("no connection left"), "{message}");
    assert!(!message.contains("(1 attempt"), "{message}");
    assert!(took < IN_TIME, "{took:?}: {message}");

    let attempts = function.proxy.connections();
    let (answer, ()) = tokio::join!(function.sandbox.invoke(Event::get("/add?n=7")), async {
        until("the second attempt", async || {
            function.proxy.connections() >= attempts + 2
        })
        .await;
        drop(held);
    });
    let reply = Reply::of(&answer);
    assert!(reply.sum == 8 && reply.stat("retried") > 0, "{answer:?}");
}

#[tokio::test]
async fn a_full_postgres_is_waited_for() {
    // Three of five connections are reserved for administrators.
    let server = Postgres::builder()
        .setting("max_connections", "5")
        .start()
        .await;
    let held = fill::<PgConnection>(&server.url()).await;
    assert_eq!(held.len(), 2);
    waits_for_a_connection(&server, held).await;
}

#[tokio::test]
async fn a_full_mysql_server_is_waited_for() {
    let server = Mysql::builder()
        .setting("max-connections", "10")
        .start()
        .await;
    let held = fill::<MySqlConnection>(&server.url()).await;
    assert_eq!(held.len(), 10);
    waits_for_a_connection(&server, held).await;
}
