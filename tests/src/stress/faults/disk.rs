//! A folder whose disk can become read-only.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::Uid;
use tempfile::TempDir;

/// A folder with the file of a database.
///
/// How writing is prevented depends on who may do what. Root, whom no permission stops, mounts the
/// folder over itself, read-only: what is opened from then on is on that mount, the journal of a
/// connection that was opened before included. An ordinary user takes the permissions away. Root
/// without the right to mount, as in many containers, puts a folder in the journal's place, without
/// which no write begins.
#[derive(Debug)]
pub(super) struct Disk {
    folder: TempDir,
    way: Way,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Mount,
    Permissions,
    Obstacle,
}

impl Disk {
    pub(super) fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("reuse-db-disk-")
            .tempdir()
            .expect("a temporary folder");
        let mut disk = Self {
            folder,
            way: Way::Permissions,
        };
        if Uid::effective().is_root() {
            disk.way = if mounted_over(disk.folder.path()) {
                disk.unmount();
                Way::Mount
            } else {
                Way::Obstacle
            };
        }
        disk
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file of the database.
    pub(super) fn file(&self) -> PathBuf {
        self.folder().join("app.db")
    }

    /// Prevents writing from now on, or allows it again.
    pub(super) fn set_read_only(&self, read_only: bool) {
        match (self.way, read_only) {
            (Way::Mount, true) => {
                assert!(mounted_over(self.folder()), "it was possible before");
            }
            (Way::Mount, false) => self.unmount(),
            (Way::Permissions, _) => {
                let [file, folder] = if read_only {
                    [0o444, 0o555]
                } else {
                    [0o644, 0o755]
                };
                permit(&self.file(), file);
                permit(self.folder(), folder);
            }
            (Way::Obstacle, true) => fs::create_dir(self.journal()).expect("the folder is ours"),
            (Way::Obstacle, false) => fs::remove_dir(self.journal()).expect("it is empty"),
        }
    }

    fn journal(&self) -> PathBuf {
        self.folder().join("app.db-journal")
    }

    fn unmount(&self) {
        // Lazily: the function may have a file open there.
        let done = run("umount", &["--lazy".as_ref(), self.folder().as_ref()]);
        assert!(done, "what was mounted can be unmounted");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // In the midst of a panic it may still be read-only.
        match self.way {
            Way::Mount => {
                let _ = run("umount", &["--lazy".as_ref(), self.folder().as_ref()]);
            }
            Way::Permissions => permit(self.folder(), 0o755),
            Way::Obstacle => {}
        }
    }
}

/// Mounts a folder over itself, read-only, and says whether that was allowed.
fn mounted_over(folder: &Path) -> bool {
    let folder = folder.as_os_str();
    if !run("mount", &["--bind".as_ref(), folder, folder]) {
        return false;
    }
    let is_read_only = run(
        "mount",
        &["-o".as_ref(), "remount,bind,ro".as_ref(), folder],
    );
    if !is_read_only {
        let _ = run("umount", &[folder]);
    }
    is_read_only
}

fn run(program: &str, arguments: &[&std::ffi::OsStr]) -> bool {
    let output = Command::new(program).args(arguments).output();
    output.is_ok_and(|output| output.status.success())
}

fn permit(path: &Path, mode: u32) {
    // What is not there needs none.
    let _ = fs::set_permissions(path, Permissions::from_mode(mode));
}
