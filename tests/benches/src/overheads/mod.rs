//! The cost of the crate itself: a lease, the compile time of the attribute, the size of a binary.
//!
//! 200 handlers are written with the attribute, with a static pool, and with reuse-db's own
//! statics, in three packages of a generated workspace. `cargo check` and release builds of each
//! package are timed in turns, after a build of all dependencies. The workspace stays in
//! `compile-cost`, in the target folder. Its Cargo.lock is a copy of this workspace's, so nothing
//! is downloaded.

mod cargo;
mod handler;
mod package;
mod table;
mod workspace;

use std::error::Error;
use std::path::PathBuf;

use self::cargo::{Cargo, Command};
use self::package::Package;
use self::table::Row;
use crate::Length;
use crate::output::Output;

pub(crate) fn run(length: Length, output: &mut Output) {
    output.heading("Overheads");
    output.text(
        "`cargo bench -p reuse-db` leases and settles a kept connection, without a socket, and \
         looks at a quiet socket. Each lease of a sqlx connection does both.",
    );
    let bench = cargo::bench().expect("a bench");
    output.text(&format!("```text\n{bench}\n```"));

    let rounds = match length {
        Length::Quick => [(Command::Check, 1), (Command::Build, 0)],
        Length::Long => [(Command::Check, 7), (Command::Build, 3)],
    };
    output.text(&format!(
        "{} handlers: with `#[reuse_db]`, with a static pool by hand, and with reuse-db's statics \
         but without the attribute. Medians, without incremental compilation.",
        handler::COUNT
    ));
    let rows = compiled(rounds).expect("a workspace that compiles");
    output.text(&table::table(&rows));
}

fn compiled(rounds: [(Command, usize); 2]) -> Result<[Row; 3], Box<dyn Error>> {
    let folder = folder()?;
    workspace::write(&folder)?;
    let cargo = Cargo::new(&folder);
    let mut rows = Package::ALL.map(Row::new);
    for (command, rounds) in rounds.into_iter().filter(|(_, rounds)| *rounds > 0) {
        cargo.run(command, None)?;
        for round in 0..rounds {
            // The order rotates: no package is always the first.
            for n in 0..rows.len() {
                let row = &mut rows[(n + round) % Package::ALL.len()];
                workspace::touch(&folder, row.package)?;
                let time = cargo.run(command, Some(row.package))?;
                row.times(command).push(time);
            }
        }
        if command == Command::Build {
            for row in &mut rows {
                row.size = Some(cargo.binary_size(row.package)?);
            }
        }
    }
    Ok(rows)
}

/// Returns the folder of the generated workspace, beside the profile's folder.
fn folder() -> Result<PathBuf, Box<dyn Error>> {
    let program = std::env::current_exe()
        .map_err(|error| format!("the path of this program is unknown: {error}"))?;
    let target = program
        .ancestors()
        .nth(2)
        .ok_or("this program is not in a target folder")?;
    Ok(target.join("compile-cost"))
}
