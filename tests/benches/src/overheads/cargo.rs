//! Timed runs of cargo.

use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::time::{Duration, Instant};

use super::package::Package;

/// A command that is timed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Check,
    Build,
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Check => "cargo check",
            Self::Build => "cargo build --release",
        })
    }
}

/// Returns the output of the crate's own benches.
pub(super) fn bench() -> Result<String, Box<dyn Error>> {
    let output = process::Command::new(program())
        .args(["bench", "--quiet", "-p", "reuse-db", "--bench", "lease"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .map_err(|error| format!("cargo cannot be started: {error}"))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("`cargo bench -p reuse-db` failed: {errors}").into());
    }
    let text = String::from_utf8(output.stdout)?;
    // The last columns are the numbers of samples and iterations.
    let figures = |line: &str| {
        let columns: Vec<&str> = line.split('│').take(4).collect();
        columns.join("│").trim_end().to_owned()
    };
    let lines: Vec<String> = text.trim().lines().map(figures).collect();
    Ok(lines.join("\n"))
}

fn program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// cargo in the generated workspace.
pub(super) struct Cargo {
    folder: PathBuf,
}

impl Cargo {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    fn target(&self) -> PathBuf {
        self.folder.join("target")
    }

    /// Returns the time for a package, or for all packages and their dependencies.
    pub(super) fn run(
        &self,
        command: Command,
        package: Option<Package>,
    ) -> Result<Duration, Box<dyn Error>> {
        let mut cargo = process::Command::new(program());
        match command {
            Command::Check => cargo.arg("check"),
            Command::Build => cargo.args(["build", "--release"]),
        };
        match package {
            Some(package) => cargo.args(["-p", package.name()]),
            None => cargo.arg("--workspace"),
        };
        cargo
            .args(["--offline", "--quiet"])
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", self.target())
            .env("CARGO_INCREMENTAL", "0");
        let begun = Instant::now();
        let status = cargo
            .status()
            .map_err(|error| format!("cargo cannot be started: {error}"))?;
        let took = begun.elapsed();
        if !status.success() {
            let what = package.map_or("the workspace", Package::name);
            return Err(format!("`{command}` of {what} failed: {status}").into());
        }
        Ok(took)
    }

    /// Returns the size of the stripped release binary, in bytes.
    pub(super) fn binary_size(&self, package: Package) -> Result<u64, Box<dyn Error>> {
        let binary = self.target().join("release").join(package.name());
        let metadata = fs::metadata(&binary)
            .map_err(|error| format!("the binary {}: {error}", binary.display()))?;
        Ok(metadata.len())
    }
}
