//! A duplicate of a socket's descriptor.

use std::fs::{self, File};
use std::net::SocketAddr;
#[cfg(feature = "_stream")]
use std::os::fd::AsRawFd;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{Shutdown, getpeername, shutdown, sockopt};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

use super::{Options, State};
use crate::telemetry::events;

/// The time between two questions of TCP keepalive.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);

/// A duplicate of a connection's socket.
///
/// The connection ends once both descriptors are closed. So it is dropped with its connection.
#[derive(Debug)]
pub(crate) struct Socket {
    duplicate: OwnedFd,
    pub(super) id: SocketId,
}

/// The identity of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SocketId {
    /// The number of the connection's own descriptor.
    pub(super) number: RawFd,
    /// A number that the kernel gives to a single open socket.
    pub(super) inode: u64,
}

impl Socket {
    /// Duplicates the socket of a stream, and sets its options. Returns `None` if the process has
    /// no descriptor left.
    #[cfg(feature = "_stream")]
    pub(crate) fn of(stream: &(impl AsFd + AsRawFd), options: Options) -> Option<Self> {
        let id = SocketId::at(stream.as_raw_fd())?;
        let duplicate = stream.as_fd().try_clone_to_owned().ok()?;
        let socket = Self { duplicate, id };
        socket.set(options);
        Some(socket)
    }

    /// Returns the port of the other side, or `None` if that has none.
    ///
    /// # Errors
    ///
    /// If the socket is not connected.
    pub(super) fn peer_port(&self) -> Result<Option<u16>, Errno> {
        let peer = getpeername(&self.duplicate)?;
        let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok());
        Ok(peer.map(|peer| peer.port()))
    }

    pub(super) fn set_nodelay(&self) {
        let _ = sockopt::set_tcp_nodelay(&self.duplicate, true);
    }

    /// Sets the options of the socket. An option that the system does not know is left out.
    pub(super) fn set(&self, options: Options) {
        let socket = self.duplicate.as_fd();
        self.set_nodelay();
        if !options.keepalive.is_zero() {
            // The kernel counts whole seconds.
            let idle = options.keepalive.max(KEEPALIVE_INTERVAL);
            let _ = sockopt::set_socket_keepalive(socket, true);
            let _ = sockopt::set_tcp_keepidle(socket, idle);
            let _ = sockopt::set_tcp_keepintvl(socket, KEEPALIVE_INTERVAL);
        }
        if !options.user_timeout.is_zero() {
            let most = i32::MAX.unsigned_abs();
            let timeout = u32::try_from(options.user_timeout.as_millis()).unwrap_or(most);
            let _ = sockopt::set_tcp_user_timeout(socket, timeout.clamp(1, most));
        }
    }

    pub(crate) fn id(&self) -> SocketId {
        self.id
    }

    /// Looks at the socket without waiting. An error is taken for something unread.
    pub(crate) fn state(&self) -> State {
        let wanted = PollFlags::IN | PollFlags::RDHUP;
        let mut polled = [PollFd::new(&self.duplicate, wanted)];
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        if poll(&mut polled, Some(&at_once)).is_err() {
            return State::Unread;
        }
        let found = polled[0].revents();
        if found.intersects(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR) {
            State::HungUp
        } else if found.is_empty() {
            State::Quiet
        } else {
            State::Unread
        }
    }

    /// Returns `true` if nothing is unread and the other side has not hung up.
    pub(crate) fn is_quiet(&self) -> bool {
        self.state() == State::Quiet
    }

    /// Ends the connection. Whoever waits for an answer gets an error.
    pub(crate) fn shut_down(&self) {
        // An error means that it has ended.
        let _ = shutdown(&self.duplicate, Shutdown::Both);
    }
}

/// Returns the worst state of some sockets, and forgets those that were closed.
pub(crate) fn worst_state(sockets: &mut Vec<SocketId>) -> State {
    let mut worst = State::Quiet;
    if let Some(process) = process() {
        sockets.retain(|id| {
            let socket = id.duplicate(&process);
            let state = socket.as_ref().map(Socket::state);
            worst = worst.max(state.unwrap_or(State::Quiet));
            socket.is_some()
        });
    }
    worst
}

impl SocketId {
    /// Returns the identity of a descriptor of this process. Returns `None` if it is no socket.
    pub(super) fn at(number: RawFd) -> Option<Self> {
        let target = fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
        let inode = target.to_str()?.strip_prefix("socket:[")?;
        let inode = inode.strip_suffix(']')?.parse().ok()?;
        Some(Self { number, inode })
    }

    /// Duplicates the socket if it is still open.
    pub(crate) fn socket(self) -> Option<Socket> {
        self.duplicate(&process()?)
    }

    /// Duplicates the socket if it is still open.
    ///
    /// A file must not be duplicated: closing any of its descriptors releases the process's locks
    /// of it, on which SQLite relies.
    pub(super) fn duplicate(self, process: &OwnedFd) -> Option<Socket> {
        if Self::at(self.number) != Some(self) {
            return None;
        }
        let duplicate = pidfd_getfd(process, self.number, PidfdGetfdFlags::empty());
        let duplicate = File::from(duplicate.inspect_err(|error| remember(*error)).ok()?);
        match duplicate.metadata() {
            Ok(found) if found.file_type().is_socket() => {
                (found.ino() == self.inode).then(|| Socket {
                    duplicate: duplicate.into(),
                    id: self,
                })
            }
            _ => {
                // The number has become that of a file meanwhile. It stays open.
                std::mem::forget(duplicate);
                None
            }
        }
    }
}

/// `true` if the system forbids to duplicate descriptors, or does not know that.
static IS_FORBIDDEN: AtomicBool = AtomicBool::new(false);

/// Returns a descriptor of this process, unless descriptors cannot be duplicated.
pub(super) fn process() -> Option<OwnedFd> {
    if IS_FORBIDDEN.load(Ordering::Relaxed) {
        return None;
    }
    let process = pidfd_open(getpid(), PidfdFlags::empty());
    process.inspect_err(|error| remember(*error)).ok()
}

/// Remembers that the system forbids the call, and logs that once.
fn remember(error: Errno) {
    let is_forbidden = matches!(error, Errno::NOSYS | Errno::PERM | Errno::ACCESS);
    if is_forbidden && !IS_FORBIDDEN.swap(true, Ordering::Relaxed) {
        events::socket_unseen(&error);
    }
}
