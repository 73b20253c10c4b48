//! The README's first command, and the same function on Lambda.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::ffi::OsString;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use lambda_bench::lambda::{Event, Sandbox};
use lambda_bench::servers::{Mysql, Postgres};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(10);

/// The program `visits` on this machine, in a folder of its own.
struct Visits {
    process: Child,
    address: String,
    folder: tempfile::TempDir,
    /// The rest of its standard error.
    lines: Lines<BufReader<ChildStderr>>,
}

/// Returns the program of `VISITS`, which `tests/run` builds with its own features only. Otherwise
/// returns the one that was built with the tests, whose features it has then, too.
fn program() -> OsString {
    std::env::var_os("VISITS").unwrap_or_else(|| env!("CARGO_BIN_EXE_visits").into())
}

impl Visits {
    async fn start(url: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(program());
        command
            .current_dir(folder.path())
            .env("REUSE_DB_LOCAL_ADDR", "127.0.0.1:0")
            .env_remove("DATABASE_URL")
            .envs(url.map(|url| ("DATABASE_URL", url)))
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut process = command.spawn().expect("it starts");
        let stderr = process.stderr.take().expect("its stderr");
        let mut lines = BufReader::new(stderr).lines();
        let line = timeout(LIMIT, lines.next_line())
            .await
            .expect("in time")
            .expect("a line")
            .expect("a line");
        let address = line
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split(',').next());
        let address = address
            .unwrap_or_else(|| panic!("no address in {line}"))
            .to_owned();
        Self {
            process,
            address,
            folder,
            lines,
        }
    }

    /// Returns the body of `GET /`.
    async fn get(&self) -> String {
        let answer = self.request().await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        answer.split("\r\n\r\n").nth(1).expect("a body").to_owned()
    }

    /// Returns the whole response to `GET /`.
    async fn request(&self) -> String {
        let mut stream = TcpStream::connect(&self.address).await.expect("it listens");
        let request = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream
            .write_all(request.as_bytes())
            .await
            .expect("it reads");
        let mut answer = String::new();
        timeout(LIMIT, stream.read_to_string(&mut answer))
            .await
            .expect("in time")
            .expect("it answers");
        answer
    }

    /// Sends Ctrl-C, and returns the time until the program ended.
    async fn interrupt(&mut self) -> (ExitStatus, Duration) {
        let pid = self
            .process
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .expect("it runs");
        let begun = Instant::now();
        kill(Pid::from_raw(pid), Signal::SIGINT).expect("it runs");
        let status = timeout(LIMIT, self.process.wait())
            .await
            .expect("it ends")
            .expect("it ends");
        (status, begun.elapsed())
    }
}

fn answer(visits: u32, reused: u32) -> String {
    format!(r#"{{"visits":{visits},"connection":{{"opened":1,"reused":{reused}}}}}"#)
}

#[tokio::test]
async fn counts_in_a_file_and_ends_on_ctrl_c() {
    let mut visits = Visits::start(None).await;
    assert_eq!(visits.get().await, answer(1, 0));
    assert_eq!(visits.get().await, answer(2, 1));
    assert!(visits.folder.path().join("visits.db").exists());
    let (status, took) = visits.interrupt().await;
    assert!(
        status.success() && took < Duration::from_secs(1),
        "{status} after {took:?}"
    );
}

#[tokio::test]
async fn counts_in_postgres_and_closes_its_connection() {
    let server = Postgres::start().await;
    let mut visits = Visits::start(Some(&server.url())).await;
    assert_eq!(visits.get().await, answer(1, 0));
    assert_eq!(visits.get().await, answer(2, 1));
    assert_eq!(server.sessions().await.len(), 1);
    let (status, took) = visits.interrupt().await;
    assert!(
        status.success() && took < Duration::from_secs(1),
        "{status} after {took:?}"
    );
    lambda_bench::wait::until("the end of the session", async || {
        server.sessions().await.is_empty()
    })
    .await;
}

/// A new server of MySQL offers TLS. Its first sign-in of a user takes the password itself.
#[tokio::test]
async fn counts_in_mysql() {
    let server = Mysql::builder().tls().start().await;
    let visits = Visits::start(Some(&server.url())).await;
    assert_eq!(visits.get().await, answer(1, 0));
    assert_eq!(visits.get().await, answer(2, 1));
}

/// The client gets the response of Lambda, and the developer the cause.
#[tokio::test]
async fn without_a_database_the_response_is_a_503() {
    let server = Postgres::start().await;
    server.stop().await;
    let mut visits = Visits::start(Some(&server.url())).await;
    let answer = visits.request().await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("retry-after: 1"), "{answer}");
    let line = timeout(LIMIT, visits.lines.next_line())
        .await
        .expect("in time");
    let line = line.expect("a line").expect("a line");
    assert!(
        line.contains(&server.addr().to_string()) && line.contains("Connection refused"),
        "{line}"
    );
    assert!(!line.contains("s3cret"), "{line}");
}

#[tokio::test]
async fn counts_on_lambda() {
    let server = Postgres::start().await;
    let sandbox = Sandbox::builder(env!("CARGO_BIN_EXE_visits"))
        .env("DATABASE_URL", server.url())
        .start()
        .await;
    for visit in 1..=5 {
        assert_eq!(
            sandbox.invoke(Event::get("/")).await.ok().text(),
            answer(visit, visit - 1)
        );
        sandbox.frozen().await;
    }
}

#[tokio::test]
async fn an_address_in_use_is_an_error_with_a_remedy() {
    let visits = Visits::start(None).await;
    let second = Command::new(env!("CARGO_BIN_EXE_visits"))
        .env("REUSE_DB_LOCAL_ADDR", &visits.address)
        .output();
    let output = timeout(LIMIT, second)
        .await
        .expect("it ends")
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && text.contains("set `REUSE_DB_LOCAL_ADDR` to another"),
        "{text}"
    );
}
