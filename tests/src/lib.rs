//! The tests of reuse-db that need real servers and function processes, and their function
//! binaries.
//!
//! - [`descriptors`]: the file descriptors and sockets of a process;
//! - [`function`]: a function under test, and the servers behind it;
//! - [`query`]: the parameters of a request to a function under test;
//! - [`start`]: the response of a function whose cold start is measured;
//! - [`statics`]: the statics of a test that leases connections in its own process;
//! - [`stress`]: fleets, faults, sockets, backoff and a soak, in a long and a short form;
//! - [`snapshots`]: annotated functions, and their expansions.
//!
//! The package `lambda-bench` has the Lambda emulator, the servers and the wire proxy.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, with a message"
)]

pub mod descriptors;
pub mod function;
pub mod query;
pub mod snapshots;
pub mod start;
pub mod statics;
pub mod stress;
