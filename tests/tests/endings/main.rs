//! Nothing outlives its invocation, at the server or in the sandbox.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, with a message"
)]

mod abandoned;
mod deadline;
mod deaths;
mod limits;
mod spawned;
mod sqlite;
mod strangers;

use std::time::Duration;

use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, LOGGED, program};

/// Starts the function of scripts with a time-out.
async fn scripted(server: &impl Server, source: &str, time_out: Duration) -> Function {
    if server.url().starts_with("mysql") {
        // In the second in which a server has started, a KILL spares sessions that may be older.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let env = [("SOURCE", source), LOGGED[0], LOGGED[1], LOGGED[2]];
    Function::start_sandbox(program("field_function"), server, &env, |sandbox| {
        sandbox.timeout(time_out)
    })
    .await
}

/// Returns the number of sessions of the function's user that run a statement.
async fn running(server: &impl Server) -> usize {
    let sessions = server.sessions().await;
    let is_running = |state: &str| matches!(state, "active" | "Query");
    sessions
        .iter()
        .filter(|session| is_running(&session.state))
        .count()
}
