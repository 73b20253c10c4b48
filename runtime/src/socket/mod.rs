//! The socket of a connection: looked at without a round trip, and shut down at once.
//!
//! redis-rs and tokio-postgres get their stream from this crate, so its socket is known, a Unix
//! socket included. sqlx 0.9 and mysql_async do not expose their sockets: the crate finds them in
//! `/proc/self/fd`, and duplicates their descriptors. Once sqlx exposes them (its issue 4281), the
//! search is for mysql_async alone.
//!
//! The crate does without a socket that it cannot find: on other systems than Linux, in a sandbox
//! that forbids `pidfd_getfd`, for a Unix socket of sqlx or mysql_async, and for one of several
//! connections that a pool opens at once.

#[cfg(not(all(feature = "_driver", target_os = "linux")))]
mod elsewhere;
#[cfg(all(feature = "_driver", target_os = "linux"))]
#[cfg_attr(not(feature = "_sqlx"), allow(dead_code, reason = "for pools"))]
mod linux;
#[cfg(all(feature = "_search", target_os = "linux"))]
#[cfg_attr(not(feature = "_sqlx"), allow(dead_code, reason = "for pools"))]
mod search;

#[cfg(all(feature = "_search", not(target_os = "linux")))]
pub(crate) use elsewhere::connecting;
#[cfg(not(all(feature = "_driver", target_os = "linux")))]
pub(crate) use elsewhere::{Socket, SocketId};
#[cfg(all(feature = "_sqlx", not(target_os = "linux")))]
pub(crate) use elsewhere::{claim_new, worst_state};
#[cfg(all(feature = "_sqlx", target_os = "linux"))]
pub(crate) use linux::worst_state;
#[cfg(all(feature = "_driver", target_os = "linux"))]
pub(crate) use linux::{Socket, SocketId};
#[cfg(all(feature = "_sqlx", target_os = "linux"))]
pub(crate) use search::claim_new;
#[cfg(all(feature = "_search", target_os = "linux"))]
pub(crate) use search::connecting;

use std::time::Duration;

/// The state of a socket, the best first.
#[cfg(feature = "_driver")]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "for Linux"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    Quiet,
    /// Something is unread: the answer to a statement that was abandoned, or a notice.
    Unread,
    /// The other side has hung up, or the network reports an error.
    HungUp,
}

/// The options of a socket beside TCP_NODELAY, which is always set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// The time without traffic after which the kernel asks whether the other side is there.
    pub(crate) keepalive: Duration,
    /// The time without an acknowledgement after which the kernel gives the connection up.
    pub(crate) user_timeout: Duration,
}

/// The sockets to the database's port once a connection is open.
#[cfg(feature = "_search")]
#[cfg_attr(not(feature = "_sqlx"), allow(dead_code, reason = "for pools"))]
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The socket of the connection.
    pub(crate) socket: Option<Socket>,
    /// The inodes of those that belong to no connection of ours.
    pub(crate) others: Vec<u64>,
    /// `true` if the connection's socket may be one of the others.
    pub(crate) is_ambiguous: bool,
}

/// The connections of a pool whose sockets are not found yet.
#[cfg(feature = "_search")]
#[cfg_attr(
    not(all(feature = "_sqlx", target_os = "linux")),
    allow(dead_code, reason = "for pools on Linux")
)]
#[derive(Debug, Default)]
pub(crate) struct Missing {
    pub(crate) count: usize,
    /// The inodes of sockets that are not the pool's.
    pub(crate) others: Vec<u64>,
    /// The inodes of the sockets among which theirs are.
    pub(crate) candidates: Vec<u64>,
    /// `true` if the sockets of the pool's connections cannot be told from others any more.
    pub(crate) is_lost: bool,
}

#[cfg(all(feature = "_search", target_os = "linux"))]
#[cfg(test)]
mod tests;
