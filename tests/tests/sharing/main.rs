//! A sandbox keeps one connection, or as many as it uses at once.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, with a message"
)]

mod concurrent_function;
mod handlers;
mod router;
mod sessions;
mod user_tests;
