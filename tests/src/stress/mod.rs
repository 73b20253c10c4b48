//! Stress tests: spikes, full servers, faults, and long-running sandboxes.
//!
//! `cargo run --release -p reuse-db-tests --bin stress` runs the long form of each part. The tests
//! run the short form of the same code. Each part panics if a promise is broken, and returns its
//! figures as text.

use std::path::{Path, PathBuf};
use std::process::Command;

pub mod deaths;
pub mod faults;
pub mod fleet;
pub mod growth;
pub mod jitter;
pub mod soak;
pub mod sockets;
pub mod transfers;

/// The length of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// For every change.
    Short,
    /// Before a release, on a quiet machine.
    Long,
}

/// The function binaries of a package.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Builds binaries of this package with the profile of this program, and returns them.
    pub fn built(names: &[&str]) -> Self {
        Self::built_of(env!("CARGO_PKG_NAME"), names)
    }

    /// Builds binaries of a package of this workspace.
    pub fn built_of(package: &str, names: &[&str]) -> Self {
        let this = std::env::current_exe().expect("a path");
        let folder = this.parent().expect("target/PROFILE");
        let target = folder.parent().expect("target");
        let profile = if cfg!(debug_assertions) {
            "dev"
        } else {
            "release"
        };
        let mut build = Command::new(env!("CARGO"));
        // `cargo run` sets these variables. The build script of ring runs again if they change.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                build.env_remove(name);
            }
        }
        let status = build
            .args([
                "build",
                "--package",
                package,
                "--profile",
                profile,
                "--quiet",
                "--target-dir",
            ])
            .arg(target)
            .args(names.iter().flat_map(|name| ["--bin", name]))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo starts");
        assert!(status.success(), "{names:?} are not built");
        Self::in_folder(folder)
    }

    /// Returns the binaries in `folder`, a target folder of cargo.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Returns the binaries in the folder of a binary of this package.
    pub fn beside(binary: impl AsRef<Path>) -> Self {
        Self::in_folder(binary.as_ref().parent().unwrap_or(Path::new("")))
    }

    /// Returns the path of a binary.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Returns a random number from 0 to 1.
pub fn random() -> f64 {
    use std::hash::{BuildHasher as _, RandomState};
    f64::from(RandomState::new().hash_one(()) as u32) / f64::from(u32::MAX)
}

/// Replaces the user `app` in a server's URL. All users have the same password.
fn with_user(url: &str, user: &str) -> String {
    url.replacen("app:", &format!("{user}:"), 1)
}
