//! Timed runs of cargo.

use std::error::Error;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::time::{Duration, Instant};

use crate::package::Package;

/// A command that is timed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
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

/// cargo in the generated workspace.
pub(crate) struct Cargo {
    folder: PathBuf,
}

impl Cargo {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    fn target(&self) -> PathBuf {
        self.folder.join("target")
    }

    /// Returns the time for a package, or for all packages and their dependencies.
    pub(crate) fn run(
        &self,
        command: Command,
        package: Option<Package>,
    ) -> Result<Duration, Box<dyn Error>> {
        let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut cargo = process::Command::new(program);
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
    pub(crate) fn binary_size(&self, package: Package) -> Result<u64, Box<dyn Error>> {
        let binary = self.target().join("release").join(package.name());
        let metadata = fs::metadata(&binary)
            .map_err(|error| format!("the binary {}: {error}", binary.display()))?;
        Ok(metadata.len())
    }
}
