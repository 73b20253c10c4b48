//! Fleets with more sandboxes than the server has connections.

mod another;
mod counters;
mod crowd;
mod figures;
mod frozen;
mod overload;
mod recovery;
mod report;
mod roomy;
mod second_application;
mod selection;
mod server;
mod sessions;
mod sockets;
mod stage;
mod traffic;
mod way;

use std::fmt::Write as _;

use lambda_bench::servers::{Mysql, Postgres};

use self::report::Report;
use self::selection::Selection;
use self::server::Scarce;
use self::stage::Stage;
use super::{Length, Programs};

/// The parts of this stress test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A fleet larger than the server.
    Crowd,
    /// That fleet on a server with room for all.
    Roomy,
    /// New sandboxes while others are frozen.
    Frozen,
    /// An application beside the fleet that holds most connections.
    SecondApplication,
    /// More work than the connections can do.
    Overload,
    /// An application beside the fleet that goes away.
    Recovery,
}

impl Part {
    /// All parts, in the order of the report.
    pub const ALL: [Self; 6] = [
        Self::Crowd,
        Self::Roomy,
        Self::Frozen,
        Self::SecondApplication,
        Self::Overload,
        Self::Recovery,
    ];

    /// Returns the name of the part in a selection.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crowd => "crowd",
            Self::Roomy => "roomy",
            Self::Frozen => "frozen",
            Self::SecondApplication => "second-application",
            Self::Overload => "overload",
            Self::Recovery => "recovery",
        }
    }

    fn header(self) -> &'static str {
        match self {
            Self::Crowd => crowd::HEADER,
            Self::Roomy => roomy::HEADER,
            Self::Frozen => frozen::HEADER,
            Self::SecondApplication => second_application::HEADER,
            Self::Overload => overload::HEADER,
            Self::Recovery => recovery::HEADER,
        }
    }

    /// Returns the server's connections for ordinary clients.
    fn slots(self, length: Length) -> usize {
        match (self, length) {
            (Self::Roomy, Length::Long) => 60,
            (Self::Roomy, Length::Short) => 30,
            (_, Length::Long) => 17,
            // MariaDB allows no fewer connections.
            (_, Length::Short) => 10,
        }
    }
}

/// Returns `true` if `text` selects parts of this test.
pub fn is_selection(text: &str) -> bool {
    let selection = Selection::parse(text);
    Part::ALL.into_iter().any(|part| selection.has(part))
}

/// Runs parts of the test on each server, and returns their tables.
///
/// A `selection` is `fleet` for all parts, or `PART`, `PART:SERVER` or `PART:SERVER:WAY`, such as
/// `crowd:mariadb:pool`.
///
/// # Panics
///
/// If a promise is broken, with the tables and all broken promises.
pub async fn run(programs: &Programs, length: Length, selection: &str) -> String {
    let selection = Selection::parse(selection);
    let (mut text, mut broken) = (String::new(), Vec::new());
    for part in Part::ALL.into_iter().filter(|part| selection.has(*part)) {
        let of_postgres = of_server::<Postgres>(programs, length, part, selection);
        let of_mariadb = of_server::<Mysql>(programs, length, part, selection);
        let reports = both(length, of_postgres, of_mariadb).await;
        let _ = writeln!(text, "## {}\n\n{}", part.name(), part.header());
        for report in reports {
            for row in report.rows {
                let _ = writeln!(text, "{row}");
            }
            broken.extend(report.broken);
        }
        text.push('\n');
    }
    assert!(broken.is_empty(), "{text}\nbroken:\n{}", broken.join("\n"));
    text
}

async fn of_server<S: Scarce>(
    programs: &Programs,
    length: Length,
    part: Part,
    selection: Selection<'_>,
) -> Report {
    if !selection.has_server(S::NAME) {
        return Report::default();
    }
    let mut stage = Stage::<S>::start(programs, length, part.slots(length)).await;
    let stage = &mut stage;
    match part {
        Part::Crowd => crowd::run(stage, selection).await,
        Part::Roomy => roomy::run(stage, selection).await,
        Part::Frozen => frozen::run(stage, selection).await,
        Part::SecondApplication => second_application::run(stage, selection).await,
        Part::Overload => overload::run(stage, selection).await,
        Part::Recovery => recovery::run(stage, selection).await,
    }
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
