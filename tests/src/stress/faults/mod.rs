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
use tokio::sync::{Mutex, OnceCell};

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
    let (postgres, mariadb, sqlite) = tokio::join!(
        Box::pin(of_server::<Postgres>(plan)),
        Box::pin(of_server::<Mysql>(plan)),
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

/// Runs the cells of a database.
///
/// Each handle has its own server, so the three run side by side. They take turns with one spare
/// server, which is the target of a failover. Each handle therefore begins with another fault.
async fn of_server<S: Server>(plan: Plan<'_>) -> Vec<Cell> {
    let spare = OnceCell::new();
    let [one, two, three] = [0, 1, 2].map(|nth| of_handle::<S>(plan, nth, &spare));
    let (one, two, three) = tokio::join!(Box::pin(one), Box::pin(two), Box::pin(three));
    [one, two, three].concat()
}

async fn of_handle<S: Server>(
    plan: Plan<'_>,
    nth_handle: usize,
    spare: &OnceCell<Mutex<S>>,
) -> Vec<Cell> {
    let server = S::launch().await;
    let mut cells = Vec::new();
    let mut faults = Fault::ALL;
    faults.rotate_left(nth_handle * Fault::ALL.len() / HANDLES.len());
    for fault in faults {
        let other = match fault {
            Fault::FailedOver => {
                let launch = async || Mutex::new(S::launch().await);
                Some(spare.get_or_init(launch).await.lock().await)
            }
            _ => None,
        };
        let mut stage =
            Stage::start(plan, &server, other.as_deref(), fault, HANDLES[nth_handle]).await;
        let rounds = plan.rounds(fault.variants());
        for nth in 0..rounds {
            rounds::round(fault, &mut stage, nth).await;
        }
        cells.push(stage.end(rounds).await);
    }
    cells
}
