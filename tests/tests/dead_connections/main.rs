//! A connection that died while its sandbox was frozen fails no invocation.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, with a message"
)]

mod begin;
mod failover;
mod replaced_role;
mod while_frozen;
