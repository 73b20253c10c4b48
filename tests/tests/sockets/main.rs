//! The state of a connection's socket is seen before the connection is used, and every wait on a
//! socket has a limit.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, with a message"
)]

mod abandoned;
mod beside;
mod descriptors;
mod ended;
mod given_up;
mod quiet;
mod vanished;
mod without_the_call;

use std::time::Duration;

use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, program};
use reuse_db_tests::stress::Programs;

/// Returns the function binaries of these tests.
fn programs() -> Programs {
    Programs::beside(program("field_function"))
}

/// Starts the function of scripts with a time limit of 30 s.
async fn scripted(server: &impl Server, source: &str) -> Function {
    let env = [("SOURCE", source)];
    Function::start_sandbox(program("field_function"), server, &env, |sandbox| {
        sandbox.timeout(Duration::from_secs(30))
    })
    .await
}
