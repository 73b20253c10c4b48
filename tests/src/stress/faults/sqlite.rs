//! The fault of SQLite: its disk becomes read-only.

use std::time::Duration;

use lambda_bench::lambda::{Event, Outcome, Sandbox};
use sqlx::{Connection as _, SqliteConnection};

use super::cell::{Cell, Wanted};
use super::disk::Disk;
use super::process::files_below;
use super::stage::FREEZE;
use super::{HANDLES, Plan};
use crate::stress::Length;

/// The limit of the worst latency, a cold start included.
const BOUND: Duration = Duration::from_secs(1);

const FAULTS: [Fault; 3] = [Fault::WhileFrozen, Fault::InWork, Fault::SinceTheStart];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    WhileFrozen,
    InWork,
    SinceTheStart,
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::WhileFrozen => "disk read-only while frozen",
            Self::InWork => "disk read-only for an invocation",
            Self::SinceTheStart => "connected while the disk was read-only",
        }
    }
}

struct Stage {
    disk: Disk,
    sandbox: Sandbox,
    path: &'static str,
    cell: Cell,
    last: i64,
}

pub(super) async fn cells(plan: Plan<'_>) -> Vec<Cell> {
    let mut cells = Vec::new();
    for fault in FAULTS {
        for handle in HANDLES {
            let mut stage = Stage::start(plan, fault, handle).await;
            let rounds = plan.rounds(1);
            for _ in 0..rounds {
                stage.round(fault).await;
            }
            cells.push(stage.end(rounds).await);
        }
    }
    cells
}

impl Stage {
    async fn start(
        plan: Plan<'_>,
        fault: Fault,
        (handle, path): (&'static str, &'static str),
    ) -> Self {
        let disk = Disk::new();
        let mut creator = connect(&disk, "rwc").await;
        let table = sqlx::query("create table notes (n integer)");
        table.execute(&mut creator).await.expect("a table");
        creator.close().await.expect("an orderly end");
        let sandbox = Sandbox::builder(plan.program)
            .env(
                "DATABASE_URL",
                format!("sqlite://{}", disk.file().display()),
            )
            .start()
            .await;
        let bound = (plan.length == Length::Long).then_some(BOUND);
        let cell = Cell::new("SQLite", fault.name(), handle, bound);
        let mut stage = Self {
            disk,
            sandbox,
            path,
            cell,
            last: 0,
        };
        stage.invoke(Wanted::Success).await;
        stage
    }

    async fn round(&mut self, fault: Fault) {
        if fault == Fault::SinceTheStart {
            self.sandbox.kill().await;
        }
        self.disk.set_read_only(true);
        tokio::time::sleep(FREEZE).await;
        if fault != Fault::WhileFrozen {
            self.invoke(Wanted::Failure("error returned from database"))
                .await;
            tokio::time::sleep(FREEZE).await;
        }
        self.disk.set_read_only(false);
        if fault == Fault::SinceTheStart {
            // SQLite opens a file that it cannot write to as read-only, until it is closed. No
            // check detects that, so this sandbox cannot write any more.
            self.invoke(Wanted::FailureAtWorst("readonly")).await;
            self.sandbox.kill().await;
        }
        self.invoke(Wanted::Success).await;
    }

    async fn invoke(&mut self, wanted: Wanted) {
        self.last += 1;
        let event = Event::get(&format!("{}?n={}", self.path, self.last));
        let answer = self.sandbox.invoke(event).await;
        self.cell.record(&answer, wanted, self.last);
        if matches!(answer.outcome, Outcome::Http(_) | Outcome::Failed(_)) {
            self.sandbox.frozen().await;
        }
    }

    async fn end(mut self, rounds: usize) -> Cell {
        self.cell.rounds = rounds;
        self.cell.sockets = files_below(self.sandbox.pid(), self.disk.folder());
        self.sandbox.kill().await;
        let mut reader = connect(&self.disk, "ro").await;
        let notes = sqlx::query_scalar("select n from notes");
        let notes: Vec<i64> = notes.fetch_all(&mut reader).await.expect("the notes");
        reader.close().await.expect("an orderly end");
        self.cell.compare(&notes);
        self.cell
    }
}

async fn connect(disk: &Disk, mode: &str) -> SqliteConnection {
    let url = format!("sqlite://{}?mode={mode}", disk.file().display());
    SqliteConnection::connect(&url).await.expect("a database")
}
