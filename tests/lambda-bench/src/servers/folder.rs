//! The temporary folder of a server, and the files that it needs there.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use nix::sys::statvfs::statvfs;
use nix::unistd::{Uid, User};
use tempfile::TempDir;

/// The free space from which on servers are kept in memory. A new server takes about 50 MB.
const ENOUGH_MEMORY: u64 = 4 << 30;

/// Creates a folder that `user` may write to.
///
/// It is in `TMPDIR` if that is set. Otherwise it is in `/dev/shm`, if that has room: setting up a
/// server syncs often, which takes seconds on some disks.
pub(super) fn folder_of(user: &str) -> TempDir {
    let mut builder = tempfile::Builder::new();
    builder.prefix("lambda-bench-");
    let memory = Path::new("/dev/shm");
    let folder = match std::env::var_os("TMPDIR").is_none() && has_room(memory) {
        true => builder.tempdir_in(memory),
        false => builder.tempdir(),
    };
    let folder = folder.expect("a temporary folder");
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755))
        .expect("the folder is our own");
    give_to(folder.path(), user);
    folder
}

/// Writes a file that only `user` can read.
pub(super) fn write_private(file: &Path, text: &str, user: &str) {
    std::fs::write(file, text).expect("the folder is our own");
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o600)).expect("the file is our own");
    give_to(file, user);
}

/// Changes the owner to `user`. As another user than root, the servers run as that user itself.
fn give_to(path: &Path, user: &str) {
    if Uid::effective().is_root() {
        let owner = User::from_name(user).ok().flatten();
        let owner = owner.expect("the server's package creates its user");
        chown(path, Some(owner.uid.as_raw()), Some(owner.gid.as_raw()))
            .expect("root may change the owner");
    }
}

fn has_room(folder: &Path) -> bool {
    statvfs(folder)
        .is_ok_and(|fs| fs.blocks_available().saturating_mul(fs.fragment_size()) >= ENOUGH_MEMORY)
}
