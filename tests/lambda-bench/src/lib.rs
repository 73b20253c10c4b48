//! A test bench for databases in AWS Lambda functions, built from real processes on this machine.
//!
//! - [`lambda`]: an emulator that runs a function binary as Lambda does and freezes its process
//!   between invocations;
//! - [`servers`]: private PostgreSQL, MariaDB and PgBouncer servers;
//! - [`proxy`]: a proxy between function and server that counts round trips and injects faults;
//! - [`aws`]: IAM, secrets and TLS before such a server, as AWS has them;
//! - [`wait`]: waiting for an event, with a limit.
//!
//! ```no_run
//! use lambda_bench::lambda::{Event, Sandbox};
//! use lambda_bench::{proxy::Proxy, servers::Postgres};
//!
//! # #[tokio::main] async fn main() {
//! let postgres = Postgres::shared().await;
//! let proxy = Proxy::start(postgres.addr()).await;
//! let sandbox = Sandbox::builder("target/debug/visits")
//!     .env("DATABASE_URL", postgres.url_at(proxy.port()))
//!     .start()
//!     .await;
//!
//! sandbox.invoke(Event::get("/count?page=home")).await.ok();
//! sandbox.frozen().await;
//! proxy.reset().await; // The connection dies while the process is frozen.
//!
//! let answer = sandbox.invoke(Event::get("/count?page=home")).await;
//! assert_eq!(answer.ok().json()["visits"], 2);
//! # }
//! ```
//!
//! The bench runs on Linux. `tests/run` installs the programs that it needs.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test bench fails by panicking, with a message"
)]

pub mod aws;
mod host;
pub mod lambda;
pub mod proxy;
pub mod servers;
pub mod wait;
