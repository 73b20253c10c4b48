//! What spikes, full servers, faults and time do to a fleet of sandboxes.
//!
//! Each part is run at length by `cargo run --release -p reuse-db-tests --bin stress`, and in short by
//! the tests, from the same code. It panics where a promise is broken, and returns its figures as
//! text.

use std::path::{Path, PathBuf};

pub mod faults;
pub mod fleet;
pub mod jitter;
pub mod soak;

/// How long a run is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// For every change: a minute or so for each part.
    Short,
    /// For a release, on a quiet machine.
    Long,
}

/// The function binaries of this package.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Those in `folder`, as cargo has built them.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Those beside a binary of this package.
    pub fn beside(binary: impl AsRef<Path>) -> Self {
        Self::in_folder(binary.as_ref().parent().unwrap_or(Path::new("")))
    }

    /// The path of one.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Between 0 and 1.
fn random() -> f64 {
    use std::hash::{BuildHasher as _, RandomState};
    f64::from(RandomState::new().hash_one(()) as u32) / f64::from(u32::MAX)
}
