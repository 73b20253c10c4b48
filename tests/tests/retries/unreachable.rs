//! When no connection can be had the error names the cause, in time, and without a secret.

mod function;

use std::time::Duration;

use function::server::Server;
use function::{Function, Reply};
use lambda_bench::lambda::{Event, Sandbox};
use lambda_bench::servers::{Mariadb, Postgres};
use sqlx::{Connection as _, MySqlConnection, PgConnection};

/// The default `connect_timeout`, and what a busy machine may add.
const IN_TIME: Duration = Duration::from_secs(9);

/// Long before `connect_timeout`, a cold start included.
const AT_ONCE: Duration = Duration::from_secs(4);

/// Those that would be a 503 are errors too, and so can be read.
const ERRORS: &str = "errors";

async fn sandbox(url: Option<&str>) -> Sandbox {
    let builder = Sandbox::builder(env!("CARGO_BIN_EXE_function"))
        .env("RUN", ERRORS)
        .timeout(Duration::from_secs(10));
    match url {
        Some(url) => builder.env("DATABASE_URL", url).start().await,
        None => builder.start().await,
    }
}

/// The error of an invocation, and the time until it was there.
async fn error(sandbox: &Sandbox, path: &str) -> (String, Duration) {
    let answer = sandbox.invoke(Event::get(path)).await;
    let message = answer.error().message.clone();
    assert!(!message.contains("s3cret"), "{message}");
    assert!(!sandbox.output().contains("s3cret"), "{}", sandbox.output());
    (message, answer.took)
}

async fn names_a_server_that_is_down(server: &impl Server, path: &str) {
    let function = Function::start_with(server, &[("RUN", ERRORS)]).await;
    server.stop().await;
    function.proxy.refuse().await;
    for _ in 0..2 {
        let (message, took) = error(&function.sandbox, path).await;
        let target = function.proxy.addr().to_string();
        assert!(
            message.contains(&target) && message.contains("Connection refused"),
            "{message}"
        );
        assert!(took < IN_TIME, "{took:?}: {message}");
    }
    server.start_again().await;
    function.proxy.accept().await;
    assert_eq!(
        Reply::of(&function.invoke(&format!("{path}?n=7")).await).sum,
        8
    );
}

async fn fails_at_once(server: &impl Server, url: &str, path: &str, says: &str) {
    let sandbox = sandbox(Some(url)).await;
    let (message, took) = error(&sandbox, path).await;
    assert!(
        message.contains(says) && message.contains("(1 try in"),
        "{message}"
    );
    assert!(message.contains(&server.addr().to_string()), "{message}");
    assert!(took < AT_ONCE, "{took:?}: {message}");
}

on_each_server! {
    async fn the_server_is_down(server: &impl Server) {
        names_a_server_that_is_down(server, "/add").await;
    }

    async fn the_server_of_a_pool_is_down(server: &impl Server) {
        names_a_server_that_is_down(server, "/pool").await;
    }

    async fn the_server_is_silent(server: &impl Server) {
        let function = Function::start_with(server, &[("RUN", ERRORS)]).await;
        function.proxy.black_hole_new(true);
        let (message, took) = error(&function.sandbox, "/add").await;
        assert!(message.contains("no answer in time"), "{message}");
        assert!(took < IN_TIME, "{took:?}: {message}");
        function.proxy.black_hole_new(false);
        function.add(7).await;
    }

    /// Rule 5: whatever `connect_timeout` says.
    async fn connecting_gives_up_before_the_functions_deadline(server: &impl Server) {
        server.stop().await;
        let sandbox = Sandbox::builder(env!("CARGO_BIN_EXE_function"))
            .env("DATABASE_URL", server.url())
            .env("RUN", ERRORS)
            .timeout(Duration::from_secs(3))
            .start()
            .await;
        let (message, _) = error(&sandbox, "/nowhere").await;
        assert!(message.contains("no route"), "the process has started: {message}");
        // What is late is no error of the function's: its process is killed.
        for path in ["/add", "/pool", "/note"] {
            let (message, _) = error(&sandbox, path).await;
            assert!(message.contains("Connection refused"), "{path}: {message}");
        }
        assert_eq!(sandbox.starts(), 1);
    }

    async fn the_password_is_wrong(server: &impl Server) {
        let url = server.url().replace("s3cret", "wr0ng");
        fails_at_once(server, &url, "/add", "rejected").await;
        fails_at_once(server, &url, "/pool", "rejected").await;
    }

    async fn the_database_is_unknown(server: &impl Server) {
        let url = format!("{}_of_nobody", server.url());
        fails_at_once(server, &url, "/add", "rejected").await;
    }
}

#[tokio::test]
async fn the_url_is_unset_or_malformed() {
    let (message, _) = error(&sandbox(None).await, "/add").await;
    assert!(
        message.contains("the environment variable `DATABASE_URL` is not set"),
        "{message}"
    );
    for (url, says) in [
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
                    && message.contains(says),
                "{message}"
            );
            assert!(took < AT_ONCE, "{took:?}: {message}");
        }
    }
}

/// `held` takes every connection that the server has for the user of the function.
async fn waits_for_a_connection<C>(server: &impl Server, held: Vec<C>) {
    let function = Function::start_with(server, &[("RUN", ERRORS)]).await;
    let (message, took) = error(&function.sandbox, "/add").await;
    assert!(message.contains("no connection left"), "{message}");
    assert!(!message.contains("(1 try"), "{message}");
    assert!(took < IN_TIME, "{took:?}: {message}");

    let (answer, ()) = tokio::join!(function.sandbox.invoke(Event::get("/add?n=7")), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(held);
    });
    let reply = Reply::of(&answer);
    assert!(reply.sum == 8 && reply.stat("retried") > 0, "{answer:?}");
    assert!(answer.took > Duration::from_secs(1), "{answer:?}");
}

#[tokio::test]
async fn a_full_postgres_is_waited_for() {
    // Three of five are reserved for administrators.
    let server = Postgres::builder()
        .setting("max_connections", "5")
        .start()
        .await;
    let mut held = Vec::new();
    while let Ok(connection) = PgConnection::connect(&server.url()).await {
        held.push(connection);
    }
    assert_eq!(held.len(), 2);
    waits_for_a_connection(&server, held).await;
}

#[tokio::test]
async fn a_full_mariadb_is_waited_for() {
    let server = Mariadb::builder()
        .setting("max-connections", "10")
        .start()
        .await;
    let mut held = Vec::new();
    while let Ok(connection) = MySqlConnection::connect(&server.url()).await {
        held.push(connection);
    }
    assert_eq!(held.len(), 10);
    waits_for_a_connection(&server, held).await;
}
