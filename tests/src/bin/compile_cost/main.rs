//! The compile time of `#[reuse_db]`: 200 handlers with the attribute, with a static pool, and with
//! reuse-db's own statics, in three packages of a generated workspace. `cargo check` and release
//! builds of each package are timed in turns, after a build of all dependencies.
//!
//! ```sh
//! cargo run -p reuse-db-tests --bin compile_cost          # 5 rounds of checks, 3 of builds
//! cargo run -p reuse-db-tests --bin compile_cost -- 9 5   # 9 and 5
//! ```
//!
//! The generated workspace stays in `compile-cost`, in the target folder. Its Cargo.lock is a copy
//! of this workspace's, so nothing is downloaded.

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

fn main() -> Result<(), Box<dyn Error>> {
    let mut rounds = std::env::args().skip(1);
    let mut rounds = |default| match rounds.next() {
        Some(rounds) => rounds
            .parse::<usize>()
            .map_err(|error| format!("`{rounds}` is no number of rounds: {error}")),
        None => Ok(default),
    };
    let (checks, builds) = (rounds(5)?.max(1), rounds(3)?.max(1));
    let folder = folder()?;
    workspace::write(&folder)?;
    let cargo = Cargo::new(&folder);

    println!("{} handlers, in {}", handler::COUNT, folder.display());
    let mut rows = Package::ALL.map(Row::new);
    for (command, rounds) in [(Command::Check, checks), (Command::Build, builds)] {
        println!("{command} of everything");
        cargo.run(command, None)?;
        for round in 0..rounds {
            println!("{command}, round {} of {rounds}", round + 1);
            // The order rotates: no package is always the first.
            for n in 0..rows.len() {
                let row = &mut rows[(n + round) % Package::ALL.len()];
                workspace::touch(&folder, row.package)?;
                let time = cargo.run(command, Some(row.package))?;
                row.times(command).push(time);
            }
        }
    }
    for row in &mut rows {
        row.size = cargo.binary_size(row.package)?;
    }
    println!("\n{}", table::table(&rows));
    Ok(())
}

/// Returns the folder of the generated workspace, beside the profile's folder.
fn folder() -> Result<PathBuf, Box<dyn Error>> {
    let program = std::env::current_exe()
        .map_err(|error| format!("where this program is cannot be told: {error}"))?;
    let target = program
        .ancestors()
        .nth(2)
        .ok_or("this program is not in a target folder")?;
    Ok(target.join("compile-cost"))
}
