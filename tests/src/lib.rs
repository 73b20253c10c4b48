//! The test bench of reuse-db: what a database connection in a Lambda function meets, as real
//! processes on this machine.
//!
//! - [`lambda`]: runs a function binary as Lambda does, freezing the process between invocations;
//! - [`servers`]: private PostgreSQL and MariaDB servers;
//! - [`proxy`]: stands on the wire between the two, counts round trips and breaks connections;
//! - [`query`]: what a request asks a function under test for;
//! - [`stress`]: spikes, faults and long runs, at length or in short;
//! - [`wait`]: waiting for an event, with a limit;
//! - [`snapshots`]: functions with the attribute, and what it makes of them.
//!
//! It is for Linux. Start the tests with `tests/run`, which installs what they need.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test bench fails by panicking, with a message"
)]

mod host;
pub mod lambda;
pub mod proxy;
pub mod query;
pub mod servers;
pub mod snapshots;
pub mod stress;
pub mod wait;
