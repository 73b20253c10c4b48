//! Fleets with more sandboxes than the server has connections.

mod crowd;
mod frozen;
mod server;
mod sessions;
mod sockets;

use std::time::Duration;

use lambda_bench::lambda::{Event, Sandbox};
use lambda_bench::servers::{Mariadb, Postgres};

use self::server::Scarce;
use super::{Length, Programs};

/// The size of the fleets.
#[derive(Clone, Copy, Debug)]
struct Scale {
    sandboxes: usize,
    /// The server's connections for the function.
    slots: usize,
    invocations: usize,
    /// The least number of sandboxes that succeed where sessions end after 2 s.
    served: usize,
    /// The sandboxes that are invoked while frozen ones hold all connections.
    new: usize,
}

impl Scale {
    fn of(length: Length) -> Self {
        match length {
            Length::Short => Self {
                sandboxes: 12,
                // MariaDB allows no fewer connections.
                slots: 10,
                invocations: 2,
                // There is no time for all.
                served: 10,
                new: 2,
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

/// Runs a fleet larger than the server's limit, and a fleet besides frozen sandboxes.
///
/// The frozen sandboxes hold all connections of the server. Each server runs both fleets.
///
/// # Panics
///
/// If an invocation fails otherwise than with a 503 in time. If a sandbox has two connections, by
/// the kernel's or the server's count. If a sandbox that should get a connection gets none.
pub async fn run(programs: &Programs, length: Length) -> String {
    let scale = Scale::of(length);
    let of_path = |path| {
        let postgres = of_server::<Postgres>(programs, scale, path);
        both(
            length,
            postgres,
            of_server::<Mariadb>(programs, scale, path),
        )
    };
    let rows = both(length, of_path("/default"), of_path("/short")).await;
    let mut tables = [
        "| server | sessions end after | sandboxes / connections | invocations | 503 | longest \
         | first success: least, median, most | never \
         | most a process: kernel's, server's count |\n\
         |---|---|---|---|---|---|---|---|---|\n",
        "| server | sessions end after | first success of each sandbox, in seconds |\n\
         |---|---|---|\n",
        "| server | sessions end after | frozen | new | answered | 503 | longest |\n\
         |---|---|---|---|---|---|---|\n",
    ]
    .map(String::from);
    for rows in rows.as_flattened() {
        for (table, row) in tables.iter_mut().zip(rows) {
            table.push_str(row);
        }
    }
    tables.join("\n")
}

/// Runs both fleets on one server, and returns a row for each of the three tables.
async fn of_server<S: Scarce>(
    programs: &Programs,
    scale: Scale,
    path: &'static str,
) -> [String; 3] {
    let (server, mut watcher) = S::with(scale.slots).await;
    let (row, times) = crowd::run(programs, &server, &mut watcher, scale, path).await;
    let frozen = frozen::run(programs, &server, &mut watcher, scale, path).await;
    [row, times, frozen]
}

/// Runs two parts: side by side in short, one after the other for the figures of a long run.
async fn both<T>(
    length: Length,
    one: impl Future<Output = T>,
    two: impl Future<Output = T>,
) -> [T; 2] {
    match length {
        Length::Short => tokio::join!(Box::pin(one), Box::pin(two)).into(),
        Length::Long => [Box::pin(one).await, Box::pin(two).await],
    }
}

/// Returns the idle time after which the server ends a session of the route.
fn ends_after(path: &str) -> &'static str {
    if path == "/short" { "2 s" } else { "300 s" }
}

/// Starts sandboxes and waits for their initialization, which is not measured.
async fn sandboxes<S: Scarce>(
    programs: &Programs,
    server: &S,
    count: usize,
    timeout: Duration,
) -> Vec<Sandbox> {
    let mut sandboxes = Vec::new();
    for nth in 0..count {
        let sandbox = Sandbox::builder(programs.path("fleet_function"))
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
