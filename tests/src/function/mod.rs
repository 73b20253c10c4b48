//! A function under test, as its client sees the function.

pub mod script;
pub mod server;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lambda_bench::lambda::{Answer, Builder, Event, Sandbox};
use lambda_bench::proxy::Proxy;
use serde_json::Value;

use self::server::Server;

/// Longer than the default of `verify_after`: a connection that was idle for this long is checked
/// before its next use.
pub const LONG: Duration = Duration::from_millis(1_100);

thread_local! {
    /// The variable `RUN` of the functions of this test. Each test has a thread of its own.
    pub static RUN: Cell<&'static str> = const { Cell::new("") };
}

/// The environment of a function whose [`events`](Function::events) are read.
pub const LOGGED: [(&str, &str); 3] = [
    ("INIT", "log"),
    ("RUST_LOG", "reuse_db=debug"),
    ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
];

/// Returns the path of a function binary of this package, which cargo builds for each test.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("target/PROFILE/deps/TEST");
    profile.join(name)
}

/// A function in a sandbox, behind a proxy to its server.
#[derive(Debug)]
pub struct Function {
    /// The sandbox of the function.
    pub sandbox: Sandbox,
    /// The proxy between the function and its server.
    pub proxy: Proxy,
}

/// The answer of a handler.
#[derive(Debug)]
pub struct Reply {
    /// The parameter `n`, plus one.
    pub sum: i64,
    /// The server's number for the session.
    pub session: i64,
    /// The handler's end, in milliseconds of the Unix epoch.
    pub ended: u64,
    /// The counters of the function.
    pub stats: Value,
}

impl Reply {
    /// Reads an answer that must be a success.
    pub fn of(answer: &Answer) -> Self {
        Self::of_any_status(answer.ok())
    }

    /// Reads an answer of any status.
    pub fn of_any_status(answer: &Answer) -> Self {
        let json = answer.json();
        Self {
            sum: json["sum"].as_i64().unwrap_or_default(),
            session: json["session"].as_i64().unwrap_or_default(),
            ended: json["ended"].as_u64().unwrap_or_default(),
            stats: json["stats"].clone(),
        }
    }

    /// Returns a counter of the function, since its start.
    pub fn stat(&self, name: &str) -> u64 {
        self.stats[name].as_u64().expect("a counter")
    }
}

impl Function {
    /// Starts the binary `function`.
    pub async fn start(server: &impl Server) -> Self {
        Self::start_with(server, &[]).await
    }

    /// Starts the binary `function` with more variables in its environment.
    pub async fn start_with(server: &impl Server, env: &[(&str, &str)]) -> Self {
        Self::start_program(program("function"), server, env).await
    }

    /// Starts another program.
    pub async fn start_program(
        program: impl AsRef<Path>,
        server: &impl Server,
        env: &[(&str, &str)],
    ) -> Self {
        Self::start_sandbox(program, server, env, |builder| builder).await
    }

    /// Starts a program in a sandbox with other settings. The time limit is 10 s without `change`.
    pub async fn start_sandbox(
        program: impl AsRef<Path>,
        server: &impl Server,
        env: &[(&str, &str)],
        change: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let proxy = Proxy::start(server.addr()).await;
        let mut builder = Sandbox::builder(program.as_ref())
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

    /// Invokes the function and waits for the freeze that follows.
    pub async fn invoke(&self, path: &str) -> Answer {
        let answer = self.sandbox.invoke(Event::get(path)).await;
        self.sandbox.frozen().await;
        answer
    }

    /// Returns what a [`LOGGED`] function has logged: each event as `LEVEL message`, and its
    /// fields.
    pub fn events(&self) -> Vec<(String, Value)> {
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

    /// Invokes the route of two statements, and checks the answer.
    pub async fn add(&self, n: i64) -> Reply {
        let answer = self.invoke(&format!("/add?n={n}")).await;
        let reply = Reply::of(&answer);
        assert_eq!(reply.sum, n + 1, "{answer:?}");
        reply
    }

    /// Returns the reply of [`add`](Self::add) and its round trips, those after the response
    /// included.
    pub async fn add_counting(&self, n: i64) -> (Reply, u64) {
        let before = self.proxy.counts();
        let reply = self.add(n).await;
        (reply, (self.proxy.counts() - before).round_trips)
    }
}

/// Lets a freeze last for longer than the default of `verify_after`.
pub async fn a_long_freeze() {
    tokio::time::sleep(LONG).await;
}
