//! Finding the socket that a driver opens.
//!
//! A socket is ours for certain if it is the only new one to the database's port when the
//! connection is open. Several may be new, because connections to the same port are opened side by
//! side. Then it is ours if it appeared during a poll of our connect future, and each of the others
//! during a poll of another one.
//!
//! A new socket without a peer may be ours, too, if the server has reset the connection by then.

use std::fs;
use std::future::poll_fn;
use std::os::fd::AsRawFd as _;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};

use super::linux::{Socket, SocketId, process};
use super::{Found, Missing, Options};
use crate::sync::Mutex;

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    claimed: Vec::new(),
    guesses: Vec::new(),
});

#[derive(Debug)]
struct Registry {
    /// The inodes of the sockets that belong to connections of ours.
    claimed: Vec<u64>,
    /// The running searches, each with the inode of the socket that it saw first.
    guesses: Vec<(u64, Option<u64>)>,
}

impl Registry {
    /// Returns the sockets to a port that neither belong to a connection of ours nor are among the
    /// inodes in `others`. The second value is `true` if there is such a socket without a peer.
    fn new_to(&mut self, port: u16, others: &[u64]) -> (Vec<Socket>, bool) {
        let Some(process) = process() else {
            return (Vec::new(), true);
        };
        let open = sockets();
        let is_open = |inode: &u64| open.iter().any(|id| id.inode == *inode);
        self.claimed.retain(is_open);
        let (mut new, mut has_unconnected) = (Vec::<Socket>::new(), false);
        for id in open {
            let is_known = new.iter().any(|socket| socket.id.inode == id.inode)
                || others.contains(&id.inode)
                || self.claimed.contains(&id.inode);
            if !is_known && let Some(socket) = id.duplicate(&process) {
                match socket.peer_port() {
                    Ok(peer) if peer == Some(port) => new.push(socket),
                    Ok(_) => {}
                    Err(_) => has_unconnected = true,
                }
            }
        }
        (new, has_unconnected)
    }

    /// Chooses the socket of a search among new ones.
    fn choose(&self, search: u64, new: &[Socket]) -> Option<usize> {
        let guesses = |socket: &Socket| {
            let inode = Some(socket.id.inode);
            let guesses = self.guesses.iter().filter(move |guess| guess.1 == inode);
            guesses.map(|guess| guess.0)
        };
        let has_one = |socket: &Socket| guesses(socket).count() == 1;
        let is_certain = new.iter().all(has_one);
        let is_own = |socket: &Socket| guesses(socket).any(|guess| guess == search);
        is_certain.then(|| new.iter().position(is_own)).flatten()
    }
}

/// Polls a connect future, finds the socket that it opens, and sets the socket's options as soon as
/// it is connected. Only the options are set if there is no certainty about the socket.
pub(crate) async fn connecting<T, E>(
    port: Option<u16>,
    options: Options,
    connect: impl Future<Output = Result<T, E>>,
) -> (Result<T, E>, Found) {
    let Some(mut search) = port.and_then(|port| Search::begin(port, options)) else {
        return (connect.await, Found::default());
    };
    let mut connect = pin!(connect);
    let result = poll_fn(|cx| search.watch(|| connect.as_mut().poll(cx))).await;
    let found = result.is_ok().then(|| search.end());
    (result, found.unwrap_or_default())
}

/// Claims the new sockets to a port if their number is that of connections of ours whose sockets
/// are not found yet. The last of these connections has just been opened.
pub(crate) fn claim_new(port: u16, missing: &mut Missing, options: Options) -> Vec<SocketId> {
    let mut registry = REGISTRY.lock();
    let (new, _) = registry.new_to(port, &missing.others);
    // A user's own connection to the same port gains by this, too.
    new.iter().for_each(Socket::set_nodelay);
    let inodes: Vec<_> = new.iter().map(|socket| socket.id.inode).collect();
    missing.count += 1;
    // One that was closed may have been ours, and then the numbers are not comparable.
    missing.is_lost |= missing.candidates.iter().any(|one| !inodes.contains(one));
    missing.candidates = inodes;
    if missing.is_lost || new.len() != missing.count {
        return Vec::new();
    }
    (missing.count, missing.candidates) = (0, Vec::new());
    let claim = |socket: Socket| {
        socket.set(options);
        registry.claimed.push(socket.id.inode);
        socket.id
    };
    new.into_iter().map(claim).collect()
}

/// The search for the socket of one connection.
struct Search {
    number: u64,
    port: u16,
    options: Options,
    /// The inodes of the sockets that were open before.
    before: Vec<u64>,
    /// The sockets that appeared during a poll, connected or not.
    appeared: Vec<SocketId>,
    has_guessed: bool,
}

impl Search {
    /// Returns `None` if sockets cannot be found.
    fn begin(port: u16, options: Options) -> Option<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);

        // Closed at once: it may have the last free number, which the connection needs.
        drop(process()?);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        REGISTRY.lock().guesses.push((number, None));
        Some(Self {
            number,
            port,
            options,
            before: sockets().into_iter().map(|id| id.inode).collect(),
            appeared: Vec::new(),
            has_guessed: false,
        })
    }

    /// Polls, and looks for a socket that was opened during a poll.
    ///
    /// The kernel gives a new socket the lowest free number.
    /// Two searches that look at the same time would see each other's descriptors, so the second
    /// one only polls.
    fn watch<R>(&mut self, poll: impl FnOnce() -> R) -> R {
        static WATCHING: Mutex<()> = Mutex::new(());

        if self.has_guessed {
            return poll();
        }
        let Some(_watching) = WATCHING.try_lock() else {
            return poll();
        };
        // Closed at once, so that its number is the lowest free one again.
        let lowest = process().map(|process| process.as_raw_fd());
        let result = poll();
        if let Some(lowest) = lowest
            && let Some(id) = SocketId::at(lowest)
        {
            self.appeared.push(id);
        }
        // It may have appeared during an earlier poll, and be connected by now.
        let connected = self.appeared.iter().find_map(|id| {
            let socket = id.socket()?;
            (socket.peer_port() == Ok(Some(self.port))).then_some(socket)
        });
        if let Some(socket) = connected {
            socket.set(self.options);
            self.has_guessed = true;
            let mut registry = REGISTRY.lock();
            let mut guesses = registry.guesses.iter_mut();
            if let Some(guess) = guesses.find(|guess| guess.0 == self.number) {
                guess.1 = Some(socket.id.inode);
            }
        }
        result
    }

    /// Claims the socket of the connection, which is open.
    fn end(self) -> Found {
        // Locked first, so that a socket that another search claims meanwhile stays claimed.
        let mut registry = REGISTRY.lock();
        let (mut new, has_unconnected) = registry.new_to(self.port, &self.before);
        // The delay of a stranger's packets is of use to nobody.
        new.iter().for_each(Socket::set_nodelay);
        let chosen = if new.len() == 1 && !has_unconnected {
            Some(0)
        } else {
            registry.choose(self.number, &new)
        };
        let socket = chosen.map(|at| new.swap_remove(at));
        if let Some(socket) = &socket {
            registry.claimed.push(socket.id.inode);
            socket.set(self.options);
        }
        let mut others = self.before.clone();
        others.extend(new.iter().map(|socket| socket.id.inode));
        Found {
            is_ambiguous: socket.is_none() && !new.is_empty(),
            socket,
            others,
        }
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        let mut registry = REGISTRY.lock();
        registry.guesses.retain(|guess| guess.0 != self.number);
    }
}

/// Returns the sockets of this process.
pub(super) fn sockets() -> Vec<SocketId> {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else {
        return Vec::new();
    };
    let number = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let numbers = entries.flatten().filter_map(number);
    numbers.filter_map(SocketId::at).collect()
}
