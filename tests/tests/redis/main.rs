//! Connections of redis-rs keep the guarantees of sqlx's.

mod reports;

use std::path::PathBuf;
use std::time::Duration;

use lambda_bench::lambda::{Answer, Event, Sandbox};
use lambda_bench::proxy::Proxy;
use lambda_bench::servers::{Redis, RedisBuilder};
use lambda_bench::wait::until;
use reuse_db_tests::function::{LONG, program};

/// A function in a sandbox, behind a proxy to its server.
struct Function {
    redis: Redis,
    proxy: Proxy,
    sandbox: Sandbox,
}

/// The places of the tests: a server, and one over TLS.
fn places() -> [RedisBuilder; 2] {
    [Redis::builder(), Redis::builder().tls()]
}

impl Function {
    async fn start(server: RedisBuilder) -> Self {
        let redis = server.start().await;
        let proxy = Proxy::start(redis.addr()).await;
        let sandbox = sandbox(&redis, &redis.url_at(proxy.port())).await;
        Self {
            redis,
            proxy,
            sandbox,
        }
    }

    async fn run(&self, path: &str, commands: &str) -> Answer {
        let answer = self.sandbox.invoke(Event::post(path, commands)).await;
        self.sandbox.frozen().await;
        answer
    }

    /// Runs commands that succeed, and returns their answers.
    async fn ok(&self, commands: &str) -> String {
        self.run("/", commands).await.ok().text().to_owned()
    }

    /// Runs commands, of which one fails.
    async fn fails(&self, commands: &str) {
        let answer = self.run("/", commands).await;
        answer.error();
    }

    /// Runs commands that succeed, and returns the round trips, those after the response included.
    async fn round_trips(&self, commands: &str) -> u64 {
        let before = self.proxy.round_trips();
        self.ok(commands).await;
        self.proxy.round_trips() - before
    }
}

async fn sandbox(redis: &Redis, url: &str) -> Sandbox {
    Sandbox::builder(function())
        .env("DATABASE_URL", url)
        .env("SSL_CERT_FILE", redis.authority())
        .env("RUST_LOG", "reuse_db=debug")
        .timeout(Duration::from_secs(10))
        .start()
        .await
}

fn function() -> PathBuf {
    program("redis_function")
}

#[tokio::test]
async fn a_warm_invocation_adds_nothing_to_the_wire() {
    for place in places() {
        let function = Function::start(place).await;
        function.ok("SET a 1").await;
        // The load query follows the first response.
        function.ok("GET a").await;
        for _ in 0..5 {
            assert_eq!(function.round_trips("GET a\nGET a\nGET a").await, 3);
        }
        assert_eq!(function.proxy.connections(), 1);
        assert_eq!(function.redis.sessions().await.len(), 1);
    }
}

#[tokio::test]
async fn a_session_that_ended_while_frozen_fails_nobody() {
    for place in places() {
        let function = Function::start(place).await;
        function.ok("SET a 1").await;
        for pause in [Duration::from_millis(30), LONG] {
            let connections = function.proxy.connections();
            assert_eq!(function.redis.end_sessions().await, 1);
            tokio::time::sleep(pause).await;
            assert_eq!(function.ok("GET a").await, "bulk-string('\"1\"')");
            assert_eq!(function.proxy.connections(), connections + 1, "{pause:?}");
        }
    }
}

#[tokio::test]
async fn a_reset_or_a_black_hole_while_frozen_fails_nobody() {
    let function = Function::start(Redis::builder()).await;
    function.ok("SET a 1").await;
    function.proxy.reset().await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    function.ok("GET a").await;
    function.proxy.black_hole();
    tokio::time::sleep(LONG).await;
    function.ok("GET a").await;
    assert_eq!(function.proxy.connections(), 3);
    function.redis.restart().await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    function.ok("SET a 2").await;
    assert_eq!(function.sandbox.starts(), 1, "the process was replaced");
}

#[tokio::test]
async fn an_abandoned_command_leaves_no_answer() {
    for place in places() {
        let function = Function::start(place).await;
        function.ok("SET own 1").await;
        for n in 0..5 {
            function
                .ok(&format!("SET own {n}\nabandon BLPOP nothing 30"))
                .await;
            let wanted = format!("bulk-string('\"{n}\"')");
            assert_eq!(function.ok("GET own").await, wanted);
        }
        until("the end of the blocked clients", async || {
            function.redis.sessions().await.len() == 1
        })
        .await;
    }
}

#[tokio::test]
async fn a_transaction_does_not_cross_invocations() {
    let function = Function::start(Redis::builder()).await;
    for left in [
        "MULTI",
        "MULTI\nSET a 2",
        "WATCH a",
        "WATCH a\nMULTI\nUNWATCH",
    ] {
        function.ok("SET a 1").await;
        function.ok(left).await;
        assert_eq!(function.ok("GET a").await, "bulk-string('\"1\"')", "{left}");
        function.fails(&format!("{left}\nfail")).await;
        assert_eq!(function.ok("GET a").await, "bulk-string('\"1\"')", "{left}");
    }
    assert_eq!(function.proxy.connections(), 1, "the connection is kept");
    let output = function.sandbox.output();
    assert!(output.contains("transaction left open"), "{output}");
}

#[tokio::test]
async fn a_failure_leaves_nothing_of_its_session() {
    let function = Function::start(Redis::builder()).await;
    function.ok("SET a 1").await;
    for left in [
        "SELECT 3",
        "CLIENT SETNAME x",
        "SELECT 3\nMULTI",
        "CLIENT TRACKING ON BCAST",
    ] {
        function.fails(&format!("{left}\nfail")).await;
        assert_eq!(function.ok("GET a").await, "bulk-string('\"1\"')", "{left}");
        assert!(
            !function.ok("CLIENT INFO").await.contains("name=x"),
            "{left}"
        );
    }
    let connections = function.proxy.connections();
    for _ in 0..4 {
        function.fails("GET a\nfail").await;
        function.ok("GET a").await;
    }
    assert_eq!(
        function.proxy.connections(),
        connections,
        "nothing was changed"
    );
}

#[tokio::test]
async fn a_panic_costs_its_connection() {
    let function = Function::start(Redis::builder()).await;
    function.ok("SET a 1").await;
    function.fails("SELECT 3\npanic").await;
    assert_eq!(function.ok("GET a").await, "bulk-string('\"1\"')");
    assert_eq!(function.proxy.connections(), 2);
}

#[tokio::test]
async fn a_shutdown_closes_the_connection() {
    for place in places() {
        let function = Function::start(place).await;
        function.ok("SET a 1").await;
        function.sandbox.shutdown().await;
        until("the end of the session", async || {
            function.redis.sessions().await.is_empty()
        })
        .await;
    }
}

#[tokio::test]
async fn errors_name_their_cause() {
    let redis = Redis::builder().setting("maxclients", "10").start().await;
    let url = redis.url_at(redis.addr().port());
    let wrong = sandbox(&redis, &url.replace("s3cret", "an0ther")).await;
    let answer = wrong.invoke(Event::post("/", "PING")).await;
    let error = &answer.error().message;
    assert!(
        error.contains("WRONGPASS") || error.contains("authentication"),
        "{error}"
    );
    assert!(!format!("{answer:?}").contains("an0ther"), "{answer:?}");

    let full = sandbox(&redis, &url).await;
    let client = redis::Client::open(url).expect("a URL");
    let mut others = Vec::new();
    while let Ok(other) = client.get_multiplexed_async_connection().await {
        others.push(other);
    }
    let answer = full.invoke(Event::post("/", "PING")).await;
    assert_eq!(answer.status(), 503, "{answer:?}");
    full.frozen().await;
    drop(others);
    until("a free client", async || {
        let answer = full.invoke(Event::post("/", "PING")).await;
        full.frozen().await;
        answer.status() == 200
    })
    .await;
}

#[tokio::test]
async fn a_replica_is_no_writer() {
    let function = Function::start(Redis::builder()).await;
    function.run("/read-write", "SET a 1").await.ok();
    function
        .redis
        .execute(&["REPLICAOF", "127.0.0.1", "1"])
        .await;
    let answer = function.run("/read-write", "SET a 2").await;
    let message = &answer.error().message;
    assert!(message.contains("read only replica"), "{message}");
    let connections = function.proxy.connections();
    function.redis.execute(&["REPLICAOF", "NO", "ONE"]).await;
    function.run("/read-write", "SET a 3").await.ok();
    assert!(
        function.proxy.connections() > connections,
        "a new connection"
    );
}

#[tokio::test]
async fn a_fleet_may_be_larger_than_its_server() {
    const SANDBOXES: usize = 16;
    // Redis counts the administrator, too.
    let redis = Redis::builder().setting("maxclients", "11").start().await;
    let url = redis.url_at(redis.addr().port());
    let mut sandboxes = Vec::new();
    for _ in 0..SANDBOXES {
        sandboxes.push(sandbox(&redis, &url).await);
    }
    for round in 0..4 {
        for (nth, sandbox) in sandboxes.iter().enumerate() {
            let answer = sandbox.invoke(Event::post("/shedding", "INCR n")).await;
            assert_eq!(
                answer.status(),
                200,
                "round {round}, sandbox {nth}: {answer:?}"
            );
            sandbox.frozen().await;
        }
    }
    assert!(
        redis.sessions().await.len() <= 9,
        "connections are kept up to 80 %"
    );
}
