//! Programs, processes and ports of this machine.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Returns the path of `program`, searched in `folders` and then in `PATH`.
///
/// # Panics
///
/// If the program is not found, with the Debian package that contains it. No test is skipped
/// because a program is missing.
pub(crate) fn program(program: &str, package: &str, folders: &[PathBuf]) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders
        .iter()
        .cloned()
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| {
            panic!(
                "`{program}` is not installed: start the tests with `tests/run`, \
                 or install the Debian package `{package}`"
            )
        })
}

/// Returns the state of a process as a letter of `proc(5)`, or `None` if there is no such process.
///
/// `T` is a stopped process. `Z` is a process that has ended but was not waited for.
pub(crate) fn process_state(pid: i32) -> Option<char> {
    let stat =
        std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    // The program's name comes before the state, in parentheses, and may contain any character.
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Returns a port of the loopback interface on which no process listens.
///
/// The port is below 32768, where the kernel's range for outgoing connections begins. A server
/// that stops and starts again therefore finds its port free. Each process starts its search at
/// another port.
pub(crate) fn free_port() -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 22_000;
    (0..COUNT)
        .map(|_| {
            let nth = std::process::id().wrapping_mul(61) + TAKEN.fetch_add(1, Ordering::Relaxed);
            u16::try_from(FIRST + nth % COUNT).expect("a port is below 65536")
        })
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("no free port on 127.0.0.1")
}
