//! A test bench for databases in Lambda functions, made of real processes on this machine.
//!
//! - [`lambda`]: an emulator that runs a function binary as Lambda does, and freezes its process
//!   between invocations;
//! - [`servers`]: private PostgreSQL, MariaDB and PgBouncer servers;
//! - [`proxy`]: a proxy on the wire between both, which counts round trips and breaks connections;
//! - [`wait`]: waits for an event, with a limit.
//!
//! The bench is for Linux. Start the tests with `tests/run`, which installs what they need.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test bench fails by panicking, with a message"
)]

mod host;
pub mod lambda;
pub mod proxy;
pub mod servers;
pub mod wait;
