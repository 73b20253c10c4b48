//! The fault matrix: each fault against each handle, in a frozen sandbox and during an invocation.
//!
//! A *round* is one occurrence of a fault and the invocations around it. A *cell* is a number of
//! rounds of a fault against one handle of one database. The function uses TLS.
//!
//! A fault that passes while the sandbox is frozen fails no invocation. A fault during an
//! invocation fails that invocation and no other. No fault leaves a session, a socket or half a
//! write behind.

mod cell;
mod disk;
mod fault;
mod process;
mod rounds;
mod server;
mod sqlite;
mod stage;
mod table;

use std::path::Path;

use lambda_bench::servers::{Mysql, Postgres};
use tokio::sync::Mutex;

use self::cell::Cell;
use self::fault::Fault;
use self::server::Server;
use self::stage::Stage;
use super::{Length, Programs};

/// The handles that a handler can have, and the function's path for each.
const HANDLES: [(&str, &str); 3] = [
    ("`&mut` connection", "/connection"),
    ("pool", "/pool"),
    ("transaction", "/transaction"),
];

/// Runs the matrix and returns the tables.
///
/// # Panics
///
/// If a promise is broken, with the tables and all broken promises.
pub async fn run(programs: &Programs, length: Length) -> String {
    let program = programs.path("faults_function");
    let plan = Plan {
        program: &program,
        length,
    };
    // The start of a server takes the processors, so all run before the first round.
    let (postgres, mariadb) = tokio::join!(
        Box::pin(Servers::<Postgres>::launch()),
        Box::pin(Servers::<Mysql>::launch()),
    );
    let (postgres, mariadb, sqlite) = tokio::join!(
        Box::pin(postgres.cells(plan)),
        Box::pin(mariadb.cells(plan)),
        Box::pin(sqlite::cells(plan)),
    );
    let tables = [
        table::of("PostgreSQL", &postgres),
        table::of("MariaDB", &mariadb),
        table::of("SQLite", &sqlite),
    ]
    .join("\n");
    let cells = [postgres, mariadb, sqlite].concat();
    let broken: Vec<String> = cells.iter().flat_map(Cell::broken).collect();
    assert!(
        broken.is_empty(),
        "{tables}\n{} promises are broken:\n- {}",
        broken.len(),
        broken.join("\n- ")
    );
    tables
}

/// The settings that all cells have in common.
#[derive(Clone, Copy)]
struct Plan<'a> {
    /// The function under test.
    program: &'a Path,
    length: Length,
}

impl Plan<'_> {
    /// Returns the number of rounds of a fault with a number of `variants`, which take turns.
    fn rounds(self, variants: usize) -> usize {
        match self.length {
            Length::Short => variants,
            Length::Long => 50,
        }
    }
}

/// The servers of a database: one for each handle, so that the handles run side by side, and a
/// spare one that is the target of a failover.
struct Servers<S> {
    of_handles: [S; HANDLES.len()],
    /// The handles take turns.
    spare: Mutex<S>,
}

impl<S: Server> Servers<S> {
    async fn launch() -> Self {
        let (one, two, three, spare) =
            tokio::join!(S::launch(), S::launch(), S::launch(), S::launch());
        Self {
            of_handles: [one, two, three],
            spare: Mutex::new(spare),
        }
    }

    /// Runs the cells of all handles.
    async fn cells(&self, plan: Plan<'_>) -> Vec<Cell> {
        let [one, two, three] = [0, 1, 2].map(|nth| self.of_handle(plan, nth));
        let (one, two, three) = tokio::join!(Box::pin(one), Box::pin(two), Box::pin(three));
        [one, two, three].concat()
    }

    async fn of_handle(&self, plan: Plan<'_>, nth: usize) -> Vec<Cell> {
        let server = &self.of_handles[nth];
        let mut cells = Vec::new();
        let mut faults = Fault::ALL;
        // Each handle begins with another fault, because there is one spare server.
        faults.rotate_left(nth * Fault::ALL.len() / HANDLES.len());
        for fault in faults {
            let other = match fault {
                Fault::FailedOver => Some(self.spare.lock().await),
                _ => None,
            };
            let mut stage = Stage::start(plan, server, other.as_deref(), fault, HANDLES[nth]).await;
            let rounds = plan.rounds(fault.variants());
            for nth in 0..rounds {
                rounds::round(fault, &mut stage, nth).await;
            }
            cells.push(stage.end(rounds).await);
        }
        cells
    }
}
