//! A folder that can become read-only.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::Uid;
use tempfile::TempDir;

/// A folder with the file of a database.
///
/// There are three ways to prevent writes:
///
/// - Root mounts the folder over itself, read-only, since permissions do not apply to root. A
///   connection that was opened before opens its journal on the new mount.
/// - An ordinary user removes the permissions to write.
/// - Root in a container often may not mount. A folder takes the place of the journal, without
///   which SQLite begins no write.
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

    /// Returns the file of the database.
    pub(super) fn file(&self) -> PathBuf {
        self.folder().join("app.db")
    }

    /// Prevents writes from now on, or allows them again.
    pub(super) fn set_read_only(&self, read_only: bool) {
        match (self.way, read_only) {
            (Way::Mount, true) => {
                assert!(
                    mounted_over(self.folder()),
                    "a folder that could be mounted once can be mounted again"
                );
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
            (Way::Obstacle, true) => fs::create_dir(self.journal()).expect("the folder is our own"),
            (Way::Obstacle, false) => fs::remove_dir(self.journal()).expect("the folder is empty"),
        }
    }

    fn journal(&self) -> PathBuf {
        self.folder().join("app.db-journal")
    }

    fn unmount(&self) {
        // The function may have a file open on the mount.
        let done = run("umount", &["--lazy".as_ref(), self.folder().as_ref()]);
        assert!(done, "the folder cannot be unmounted");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // After a panic the folder may still be read-only.
        match self.way {
            Way::Mount => {
                let _ = run("umount", &["--lazy".as_ref(), self.folder().as_ref()]);
            }
            Way::Permissions => permit(self.folder(), 0o755),
            Way::Obstacle => {}
        }
    }
}

/// Mounts a folder over itself, read-only. Returns `false` if that is not allowed.
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
    // The path may not exist.
    let _ = fs::set_permissions(path, Permissions::from_mode(mode));
}
