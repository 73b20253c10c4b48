//! More sandboxes than the server has connections.

mod crowd;
mod frozen;
mod server;
mod sockets;

use self::server::Scarce;
use super::{Length, Programs};
use crate::servers::{Mariadb, Postgres};

/// How much of everything.
#[derive(Clone, Copy, Debug)]
struct Scale {
    sandboxes: usize,
    /// Connections that the server has for them.
    slots: usize,
    invocations: usize,
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
                new: 3,
            },
            Length::Long => Self {
                sandboxes: 40,
                slots: 17,
                invocations: 25,
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
/// If an invocation fails otherwise than with a 503 in time, a sandbox has two connections, or one that
/// should get one does not.
pub async fn run(programs: &Programs, length: Length) -> String {
    let scale = Scale::of(length);
    let mut report = String::from(
        "| server | sessions end after | sandboxes / connections | invocations | 503 | longest | first success: least, median, most | never | most a process |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for path in ["/default", "/short"] {
        report += &crowd::run::<Postgres>(programs, scale, path).await;
        report += &crowd::run::<Mariadb>(programs, scale, path).await;
    }
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

fn name<S: Scarce>() -> &'static str {
    S::NAME
}
