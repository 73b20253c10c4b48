//! Programs, processes and ports of this machine.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use socket2::{Domain, Socket, Type};

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

/// The ports of a process, of which it takes one after the other.
///
/// The first port of a block is bound as long as the process lives, so that no other process takes
/// the same block.
#[derive(Debug)]
struct Block {
    _first: TcpListener,
    left: Range<u16>,
}

impl Block {
    /// The ports of all blocks. From 32768 on, the kernel takes ports for outgoing connections.
    const ALL: Range<u16> = 10_000..32_000;
    const LENGTH: u16 = 100;

    /// Takes a block that no process has. Each process starts its search at another one.
    fn take() -> Self {
        let count = u32::from(Self::ALL.len() as u16 / Self::LENGTH);
        let begin = std::process::id();
        (0..count)
            .find_map(|nth| {
                let nth = u16::try_from(begin.wrapping_add(nth) % count).ok()?;
                let first = Self::ALL.start + nth * Self::LENGTH;
                let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).ok()?;
                Some(Self {
                    _first: bound,
                    left: first + 1..first + Self::LENGTH,
                })
            })
            .expect("a block of ports that no process has")
    }
}

/// Returns a port of the loopback interface that no process uses and that this process returns
/// once. A server that stops and starts again therefore finds its port free.
pub(crate) fn free_port() -> u16 {
    static BLOCKS: Mutex<Vec<Block>> = Mutex::new(Vec::new());
    let mut blocks = BLOCKS.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let left = blocks.last_mut().and_then(|block| block.left.next());
        match left {
            Some(port) if is_free(port) => return port,
            Some(_) => {}
            None => blocks.push(Block::take()),
        }
    }
}

/// Returns `true` if no socket listens on a port of the loopback interface.
fn is_free(port: u16) -> bool {
    bound(port).is_ok()
}

/// Returns a socket that has a port and does not listen.
///
/// A process that another thread forks at this moment has a copy of it until `exec`. A copy that
/// listens would occupy the port.
fn bound(port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_free_unless_a_socket_listens() {
        let port = free_port();
        // A forked process has such a copy.
        let _copy = bound(port).expect("a free port");
        assert!(is_free(port));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a free port");
        assert!(!is_free(port));
        drop(listener);
    }
}
