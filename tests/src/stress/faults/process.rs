//! Processes, by the kernel's lists: their children, sockets and open files.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Processes that are stopped until this is dropped.
#[derive(Debug)]
pub(super) struct Stopped(Vec<Pid>);

impl Stopped {
    /// Stops a process and its children.
    pub(super) fn with_children(pid: i32) -> Self {
        let stopped = Self(
            std::iter::once(pid)
                .chain(children(pid))
                .map(Pid::from_raw)
                .collect(),
        );
        stopped.signal(Signal::SIGSTOP);
        stopped
    }

    fn signal(&self, signal: Signal) {
        for pid in &self.0 {
            // A child may have ended in the meantime.
            let _ = kill(*pid, signal);
        }
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.signal(Signal::SIGCONT);
    }
}

fn children(parent: i32) -> Vec<i32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|process| {
            let stat = fs::read_to_string(process.path().join("stat")).ok()?;
            // The state and the parent follow the program's name, which is in parentheses.
            let (_, rest) = stat.rsplit_once(") ")?;
            let is_child = rest.split(' ').nth(1)? == parent.to_string();
            is_child.then(|| process.file_name().to_str()?.parse().ok())?
        })
        .collect()
}

/// Returns the number of a process's sockets to a port of the loopback interface, in any state.
pub(super) fn sockets_to(pid: i32, port: u16) -> usize {
    let held = open_files(pid);
    let sockets = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    sockets
        .lines()
        .filter(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [_, _, remote, _, _, _, _, _, _, inode, ..] = fields[..] else {
                return false;
            };
            remote.ends_with(&format!(":{port:04X}"))
                && held.contains(&PathBuf::from(format!("socket:[{inode}]")))
        })
        .count()
}

/// Returns the number of open files of a process below a folder, deleted files included.
pub(super) fn files_below(pid: i32, folder: &Path) -> usize {
    let files = open_files(pid);
    files.iter().filter(|file| file.starts_with(folder)).count()
}

fn open_files(pid: i32) -> Vec<PathBuf> {
    let files = fs::read_dir(format!("/proc/{pid}/fd"));
    files
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|file| fs::read_link(file.path()).ok())
        .collect()
}
