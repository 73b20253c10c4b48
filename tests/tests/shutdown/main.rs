//! Shutdown is clean: connections are closed when the sandbox ends, and before a SnapStart
//! snapshot.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, with a message"
)]

mod sandbox_end;
mod snapshot;
