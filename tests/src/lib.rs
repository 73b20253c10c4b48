//! The tests of reuse-db that need real servers and function processes, and their function
//! binaries.
//!
//! - [`query`]: the parameters of a request to a function under test;
//! - [`stress`]: fleets, faults, backoff and a soak, in a long and a short form;
//! - [`snapshots`]: annotated functions, and what the attribute expands them to.
//!
//! The package `lambda-bench` has the Lambda emulator, the servers and the wire proxy.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, with a message"
)]

pub mod query;
pub mod snapshots;
pub mod stress;
