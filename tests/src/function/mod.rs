//! The function under test, as its client sees it.

#![allow(dead_code, reason = "no test uses all of it")]
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[macro_use]
pub(crate) mod server;

use std::cell::Cell;
use std::time::Duration;

use lambda_bench::lambda::{Answer, Builder, Event, Sandbox};
use lambda_bench::proxy::Proxy;
use serde_json::Value;

use server::Server;

/// Longer than `verify_after`: a connection that was idle for this long is checked before it is
/// used.
pub(crate) const LONG: Duration = Duration::from_millis(1_100);

thread_local! {
    /// How the functions of this test are run, unless it says so itself; each test has a thread.
    pub(crate) static RUN: Cell<&'static str> = const { Cell::new("") };
}

/// The environment of a function whose [`events`](Function::events) are to be read.
pub(crate) const LOGGED: [(&str, &str); 3] = [
    ("INIT", "log"),
    ("RUST_LOG", "reuse_db=debug"),
    ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
];

/// The function in a sandbox, behind a proxy to its server.
pub(crate) struct Function {
    pub(crate) sandbox: Sandbox,
    pub(crate) proxy: Proxy,
}

/// What the handlers answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) sum: i64,
    /// The server's number for the session.
    pub(crate) session: i64,
    /// The handler's end, in milliseconds of the Unix epoch.
    pub(crate) ended: u64,
    pub(crate) stats: Value,
}

impl Reply {
    pub(crate) fn of(answer: &Answer) -> Self {
        Self::of_any_status(answer.ok())
    }

    pub(crate) fn of_any_status(answer: &Answer) -> Self {
        let json = answer.json();
        Self {
            sum: json["sum"].as_i64().unwrap_or_default(),
            session: json["session"].as_i64().unwrap_or_default(),
            ended: json["ended"].as_u64().unwrap_or_default(),
            stats: json["stats"].clone(),
        }
    }

    /// A figure of the function's, since it started.
    pub(crate) fn stat(&self, name: &str) -> u64 {
        self.stats[name].as_u64().expect("a figure")
    }
}

impl Function {
    pub(crate) async fn start(server: &impl Server) -> Self {
        Self::start_with(server, &[]).await
    }

    pub(crate) async fn start_with(server: &impl Server, env: &[(&str, &str)]) -> Self {
        Self::start_program(env!("CARGO_BIN_EXE_function"), server, env).await
    }

    pub(crate) async fn start_program(
        program: &str,
        server: &impl Server,
        env: &[(&str, &str)],
    ) -> Self {
        Self::start_sandbox(program, server, env, |builder| builder).await
    }

    /// With a sandbox as `change` makes it.
    pub(crate) async fn start_sandbox(
        program: &str,
        server: &impl Server,
        env: &[(&str, &str)],
        change: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let proxy = Proxy::start(server.addr()).await;
        let mut builder = Sandbox::builder(program)
            .env("DATABASE_URL", server.url_at(proxy.port()))
            .env("RUN", RUN.get())
            .timeout(Duration::from_secs(10));
        for (name, value) in env {
            builder = builder.env(name, value);
        }
        Self {
            sandbox: change(builder).start().await,
            proxy,
        }
    }

    /// Invokes it and waits for the freeze that follows.
    pub(crate) async fn invoke(&self, path: &str) -> Answer {
        let answer = self.sandbox.invoke(Event::get(path)).await;
        self.sandbox.frozen().await;
        answer
    }

    /// What it has logged, if it is [`LOGGED`]: the level of each event by its message, and its fields.
    pub(crate) fn events(&self) -> Vec<(String, Value)> {
        let output = self.sandbox.output();
        let lines = output.lines();
        let events = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let event = |event: Value| {
            let message = event["fields"]["message"].as_str()?;
            let level = event["level"].as_str()?;
            Some((format!("{level} {message}"), event["fields"].clone()))
        };
        events.filter_map(event).collect()
    }

    /// Two statements, with an answer that must be right.
    pub(crate) async fn add(&self, n: i64) -> Reply {
        let answer = self.invoke(&format!("/add?n={n}")).await;
        let reply = Reply::of(&answer);
        assert_eq!(reply.sum, n + 1, "{answer:?}");
        reply
    }

    /// The same, and its round trips, those after the response included.
    pub(crate) async fn add_counting(&self, n: i64) -> (Reply, u64) {
        let before = self.proxy.counts();
        let reply = self.add(n).await;
        (reply, (self.proxy.counts() - before).round_trips)
    }
}

/// Lets a freeze last for longer than `verify_after`.
pub(crate) async fn a_long_freeze() {
    tokio::time::sleep(LONG).await;
}
