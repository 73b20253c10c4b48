//! The file descriptors and sockets of a process, by the kernel's count.

use std::collections::BTreeSet;
use std::{fs, io};

use rustix::process::{
    Pid, PidfdFlags, PidfdGetfdFlags, Resource, getpid, getrlimit, pidfd_getfd, pidfd_open, prlimit,
};

/// The kernel's number of the state ESTABLISHED.
const ESTABLISHED: &str = "01";

/// Duplicates stdin of this process by `pidfd_getfd`, as reuse-db duplicates the sockets of sqlx.
///
/// # Errors
///
/// If the call is forbidden, or the kernel does not have it.
pub fn duplicate_stdin() -> io::Result<()> {
    let this = pidfd_open(getpid(), PidfdFlags::empty())?;
    pidfd_getfd(this, 0, PidfdGetfdFlags::empty())?;
    Ok(())
}

/// The variable that the binary `without_pidfd_getfd` sets.
pub const WITHOUT_THE_CALL: &str = "REUSE_DB_TESTS_WITHOUT_PIDFD_GETFD";

/// Returns `false` in a process that the binary `without_pidfd_getfd` has started.
///
/// There, reuse-db finds no socket. A test that needs the socket has nothing to show. In a system
/// that forbids the call by itself, such a test fails.
pub fn can_be_duplicated() -> bool {
    std::env::var_os(WITHOUT_THE_CALL).is_none()
}

/// Returns the number of open descriptors of a process.
pub fn count(pid: i32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("the process runs")
        .count()
}

/// Limits a process to its open descriptors and `free` more.
pub fn leave_free(pid: i32, free: u64) {
    let name = |link: io::Result<fs::DirEntry>| link.ok()?.file_name().to_str()?.parse().ok();
    let open: BTreeSet<u64> = fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("the process runs")
        .filter_map(name)
        .collect();
    // The kernel limits the number of a descriptor, and gives the lowest number that is free.
    let limit = (0..)
        .filter(|number| !open.contains(number))
        .nth(free.try_into().expect("a small number"))
        .expect("a free number");
    let mut of_process = getrlimit(Resource::Nofile);
    of_process.current = Some(limit);
    prlimit(Pid::from_raw(pid), Resource::Nofile, of_process).expect("root's right");
}

/// Returns the number of sockets of a process that lead to `port` of this machine.
///
/// A socket counts as long as a descriptor refers to it, whatever its state. Two descriptors of one
/// socket count once.
pub fn sockets_to(pid: i32, port: u16) -> usize {
    sockets(pid)
        .intersection(&leading_to(port, |_| true))
        .count()
}

/// Returns the inodes of the sockets of a process. There are none if the process has ended.
pub(crate) fn sockets(pid: i32) -> BTreeSet<String> {
    let links = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten();
    let inode = |link: fs::DirEntry| {
        let target = fs::read_link(link.path()).ok()?;
        let inode = target.to_str()?.strip_prefix("socket:[")?;
        Some(inode.strip_suffix(']')?.to_owned())
    };
    links.flatten().filter_map(inode).collect()
}

/// Returns the inodes of established connections to `port`.
pub(crate) fn established_to(port: u16) -> BTreeSet<String> {
    leading_to(port, |state| state == ESTABLISHED)
}

fn leading_to(port: u16, in_state: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let remote = format!(":{port:04X}");
    let inode = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (other, state, inode) = (words.get(2)?, words.get(3)?, words.get(9)?);
        (other.ends_with(&remote) && in_state(state)).then(|| (*inode).to_owned())
    };
    table.lines().filter_map(inode).collect()
}
