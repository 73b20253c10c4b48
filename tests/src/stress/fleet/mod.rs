//! More sandboxes than the server has connections.

mod crowd;
mod frozen;
mod server;
mod sessions;
mod sockets;

use std::time::Duration;

use self::server::Scarce;
use super::{Length, Programs};
use lambda_bench::lambda::{Event, Sandbox};
use lambda_bench::servers::{Mariadb, Postgres};

/// How much of everything.
#[derive(Clone, Copy, Debug)]
struct Scale {
    sandboxes: usize,
    /// Connections that the server has for them.
    slots: usize,
    invocations: usize,
    /// Sandboxes that succeed at least once where sessions end soon.
    served: usize,
    /// Sandboxes that come when the frozen ones hold all connections.
    new: usize,
}

impl Scale {
    fn of(length: Length) -> Self {
        match length {
            Length::Short => Self {
                // MariaDB has ten connections at least.
                sandboxes: 14,
                slots: 10,
                invocations: 3,
                // There is not the time for all.
                served: 10,
                new: 3,
            },
            Length::Long => Self {
                sandboxes: 40,
                slots: 17,
                invocations: 25,
                served: 40,
                new: 10,
            },
        }
    }
}

/// A fleet that is larger than the server's limit, and a fleet that comes when frozen sandboxes hold
/// all connections, on both servers.
///
/// # Panics
///
/// If an invocation fails otherwise than with a 503 in time, a sandbox has two connections by its own or
/// the server's count, or one that should get one does not.
pub async fn run(programs: &Programs, length: Length) -> String {
    let scale = Scale::of(length);
    let mut report = String::from(
        "| server | sessions end after | sandboxes / connections | invocations | 503 | longest | first success: least, median, most | never | most a process: its own count, the server's |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    let mut times = String::from(
        "\n| server | sessions end after | first success of each sandbox, in seconds |\n|---|---|---|\n",
    );
    for path in ["/default", "/short"] {
        for (row, first) in [
            crowd::run::<Postgres>(programs, scale, path).await,
            crowd::run::<Mariadb>(programs, scale, path).await,
        ] {
            report += &row;
            times += &first;
        }
    }
    report += &times;
    report += "\n| server | sessions end after | frozen | new | answered | 503 | longest |\n|---|---|---|---|---|---|---|\n";
    for path in ["/default", "/short"] {
        report += &frozen::run::<Postgres>(programs, scale, path).await;
        report += &frozen::run::<Mariadb>(programs, scale, path).await;
    }
    report
}

/// After how much idle time the server ends a session, by the route.
fn ends_after(path: &str) -> &'static str {
    if path == "/short" { "2 s" } else { "300 s" }
}

/// Sandboxes that have been initialized, which is no part of what is measured.
async fn sandboxes<S: Scarce>(
    programs: &Programs,
    server: &S,
    count: usize,
    timeout: Duration,
) -> Vec<Sandbox> {
    let mut sandboxes = Vec::new();
    for nth in 0..count {
        let sandbox = Sandbox::builder(programs.path("fleet"))
            .env("DATABASE_URL", server.url_of(nth).await)
            .env(
                "AWS_LAMBDA_LOG_STREAM_NAME",
                format!("2026/01/01/[$LATEST]{nth:08x}"),
            )
            .timeout(timeout)
            .start()
            .await;
        sandboxes.push(sandbox);
    }
    for sandbox in &sandboxes {
        sandbox.invoke(Event::get("/nothing")).await.ok();
    }
    sandboxes
}
