//! Counters of what happened to connections.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counters since the start of the process, of one static
/// ([`Exclusive::stats`](crate::Exclusive::stats), [`Shared::stats`](crate::Shared::stats)) or of
/// all ([`stats`](crate::stats)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections opened.
    pub opened: u64,
    /// Invocations served by a connection that was already open.
    pub reused: u64,
    /// Health checks, before an invocation or after a failed one.
    pub checked: u64,
    /// Inspections after a successful invocation, which end what the handler left open.
    pub inspected: u64,
    /// Questions for the server's load, after the response.
    pub load_queries: u64,
    /// Connections closed because the server was nearly full.
    pub shed: u64,
    /// Connections that failed the health check before an invocation and were replaced.
    pub stale: u64,
    /// Connections dropped after an invocation: a panic, a cancelled future, a failed check.
    pub discarded: u64,
    /// Connections closed.
    pub closed: u64,
    /// Invocations that got no connection.
    pub unavailable: u64,
    /// Attempts to connect beyond the first.
    pub retried: u64,
    /// Time spent connecting, pauses between attempts included.
    pub connecting: Duration,
    /// Time that invocations waited for a connection in total: for a free one, for a health
    /// check, or for a new one.
    pub waiting: Duration,
}

impl Stats {
    /// Returns the difference to `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            opened: self.opened.saturating_sub(earlier.opened),
            reused: self.reused.saturating_sub(earlier.reused),
            checked: self.checked.saturating_sub(earlier.checked),
            inspected: self.inspected.saturating_sub(earlier.inspected),
            load_queries: self.load_queries.saturating_sub(earlier.load_queries),
            shed: self.shed.saturating_sub(earlier.shed),
            stale: self.stale.saturating_sub(earlier.stale),
            discarded: self.discarded.saturating_sub(earlier.discarded),
            closed: self.closed.saturating_sub(earlier.closed),
            unavailable: self.unavailable.saturating_sub(earlier.unavailable),
            retried: self.retried.saturating_sub(earlier.retried),
            connecting: self.connecting.saturating_sub(earlier.connecting),
            waiting: self.waiting.saturating_sub(earlier.waiting),
        }
    }
}

/// Returns the counters of the whole process, all statics together.
#[must_use]
pub fn stats() -> Stats {
    PROCESS.read()
}

static PROCESS: Counters = Counters::new();

/// The counters behind one static's [`Stats`]. Each event also counts for the process.
#[derive(Debug)]
pub(crate) struct Counters {
    counts: [AtomicU64; Count::ALL],
    /// The handler whose static this is, unknown for a static of the user's own.
    pub(crate) handler: HandlerName,
}

/// A handler's name with its module. Displayed as the empty text if the handler is unknown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HandlerName {
    pub(crate) module: &'static str,
    pub(crate) function: &'static str,
}

impl HandlerName {
    pub(crate) const UNKNOWN: Self = Self {
        module: "",
        function: "",
    };
}

impl fmt::Display for HandlerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.function {
            "" => Ok(()),
            function => write!(f, "{}::{function}", self.module),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Count {
    Opened,
    Reused,
    Checked,
    Inspected,
    LoadQueries,
    Shed,
    Stale,
    Discarded,
    Closed,
    Unavailable,
    Retried,
    ConnectingNanos,
    WaitingNanos,
}

impl Count {
    const ALL: usize = Self::WaitingNanos as usize + 1;
}

impl Counters {
    /// The counters for work that belongs to no static. It counts for the process only.
    pub(crate) fn of_process() -> &'static Self {
        static OF_NO_STATIC: Counters = Counters::new();
        &OF_NO_STATIC
    }

    #[expect(
        clippy::declare_interior_mutable_const,
        reason = "rustc evaluates it once, and each use is a new value"
    )]
    const ZERO: [AtomicU64; Count::ALL] = [const { AtomicU64::new(0) }; Count::ALL];

    pub(crate) const fn new() -> Self {
        Self::of_handler(HandlerName::UNKNOWN)
    }

    pub(crate) const fn of_handler(handler: HandlerName) -> Self {
        Self {
            counts: Self::ZERO,
            handler,
        }
    }

    pub(crate) fn add(&self, count: Count) {
        self.add_many(count, 1);
    }

    pub(crate) fn add_time(&self, count: Count, time: Duration) {
        self.add_many(count, u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn add_many(&self, count: Count, n: u64) {
        for counters in [self, &PROCESS] {
            counters.counts[count as usize].fetch_add(n, Ordering::Relaxed);
        }
    }

    pub(crate) fn get(&self, count: Count) -> u64 {
        self.counts[count as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn read(&self) -> Stats {
        let get = |count: Count| self.get(count);
        Stats {
            opened: get(Count::Opened),
            reused: get(Count::Reused),
            checked: get(Count::Checked),
            inspected: get(Count::Inspected),
            load_queries: get(Count::LoadQueries),
            shed: get(Count::Shed),
            stale: get(Count::Stale),
            discarded: get(Count::Discarded),
            closed: get(Count::Closed),
            unavailable: get(Count::Unavailable),
            retried: get(Count::Retried),
            connecting: Duration::from_nanos(get(Count::ConnectingNanos)),
            waiting: Duration::from_nanos(get(Count::WaitingNanos)),
        }
    }
}
