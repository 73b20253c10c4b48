//! What the bench asks of the machine: programs, processes, ports.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The path of `program`: in one of `folders`, else in one of `PATH`.
///
/// # Panics
///
/// If it is nowhere, with the Debian package that has it: a test is never skipped for it.
pub(crate) fn program(program: &str, package: &str, folders: &[PathBuf]) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders
        .iter()
        .cloned()
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .unwrap_or_else(|| {
            panic!("`{program}` is not installed: start the tests with `tests/run`, or install the Debian package `{package}`")
        })
}

/// The state of a process as one letter, as `proc(5)` has it: `T` is stopped, `Z` is dead and not
/// waited for. `None` if there is no such process.
pub(crate) fn process_state(pid: i32) -> Option<char> {
    let stat =
        std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    // The state follows the program's name, which is in parentheses and may hold any character.
    stat.rsplit_once(") ")?.1.chars().next()
}

/// A port of the loopback interface that nobody listens on.
///
/// It is below those that the kernel gives to outgoing connections (32768 and up), so that a server
/// that stops and starts again finds its port free, and each process begins its search elsewhere.
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
