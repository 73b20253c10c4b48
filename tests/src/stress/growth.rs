//! The growth of fleets, simulated with the policy of the runtime and mocked clocks.

use std::path::Path;
use std::process::Command;

use super::Length;

/// Runs the simulation, which is a unit test of the runtime, and returns its tables.
///
/// # Panics
///
/// If a promise is broken.
pub fn run(length: Length) -> String {
    let mut test = Command::new(env!("CARGO"));
    test.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .args(["test", "--quiet", "--release", "-p", "reuse-db", "--lib"])
        .args(["load_shedding::simulation", "--"])
        .args(["--nocapture", "--test-threads", "1"]);
    if length == Length::Long {
        test.arg("--include-ignored");
    }
    let output = test.output().expect("cargo starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    // The test runner's own lines are left out.
    let rows = text
        .lines()
        .filter_map(|line| Some(&line[line.find('|')?..]));
    rows.flat_map(|row| [row, "\n"]).collect()
}
