//! The leases that are out. The freeze waits for those of tasks that their handler did not await.

use tokio::runtime::{Handle, Id};
use tokio::sync::Notify;
use tokio::task;
use tokio::time::{Instant, timeout_at};

use crate::socket::SocketId;
use crate::sync::Mutex;

static OUT: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// Notified when a lease ends.
static ENDED: Notify = Notify::const_new();

struct Entry {
    number: u64,
    runtime: Option<Id>,
    task: Option<task::Id>,
    begun: Instant,
    /// The socket of the leased connection, if it was found.
    socket: Option<SocketId>,
    is_overdue: bool,
}

/// A lease, from its begin to its release.
#[derive(Debug)]
pub(crate) struct LeaseOut(u64);

impl LeaseOut {
    pub(crate) fn begin() -> Self {
        let mut out = OUT.lock();
        let number = out.last().map_or(0, |last| last.number + 1);
        out.push(Entry {
            number,
            runtime: runtime(),
            task: task::try_id(),
            begun: Instant::now(),
            socket: None,
            is_overdue: false,
        });
        Self(number)
    }

    /// Records the socket of the leased connection.
    pub(crate) fn uses(&self, socket: Option<SocketId>) {
        let mut out = OUT.lock();
        if let Some(entry) = out.iter_mut().find(|entry| entry.number == self.0) {
            entry.socket = socket;
        }
    }

    /// Returns `true` if the sandbox may have been frozen meanwhile, because the lease has not
    /// ended in time after a response.
    pub(crate) fn is_overdue(&self) -> bool {
        let out = OUT.lock();
        let entry = out.iter().find(|entry| entry.number == self.0);
        entry.is_some_and(|entry| entry.is_overdue)
    }
}

impl Drop for LeaseOut {
    fn drop(&mut self) {
        OUT.lock().retain(|entry| entry.number != self.0);
        ENDED.notify_waiters();
    }
}

impl Entry {
    fn is_since(&self, begun: Instant) -> bool {
        self.begun >= begun && self.runtime == runtime()
    }
}

fn runtime() -> Option<Id> {
    Handle::try_current().ok().map(|runtime| runtime.id())
}

/// Returns `true` if a lease of this task is overdue. Then the task outlives its invocation.
#[cfg_attr(
    not(feature = "_transaction"),
    expect(dead_code, reason = "for transactions")
)]
pub(crate) fn is_task_overdue() -> bool {
    let Some(task) = task::try_id() else {
        return false;
    };
    let out = OUT.lock();
    out.iter()
        .any(|entry| entry.is_overdue && entry.task == Some(task))
}

/// Returns `true` if no lease of this runtime is out that began after `begun`.
pub(crate) fn none_since(begun: Instant) -> bool {
    !OUT.lock().iter().any(|entry| entry.is_since(begun))
}

/// Waits until no lease of this runtime is out that began after `begun`. Returns `false` if some
/// are out at `end`. They are overdue from then on. Before a freeze their connections are shut
/// down: the server ends what they have begun, and in a later invocation they can do nothing.
pub(crate) async fn wait(begun: Instant, end: Instant) -> bool {
    loop {
        let mut ended = std::pin::pin!(ENDED.notified());
        ended.as_mut().enable();
        if none_since(begun) {
            return true;
        }
        if timeout_at(end, ended).await.is_err() {
            break;
        }
    }
    let mut out = OUT.lock();
    let overdue = out.iter_mut().filter(|entry| entry.is_since(begun));
    for entry in overdue {
        entry.is_overdue = true;
        let socket = entry.socket.filter(|_| super::is_frozen_after());
        if let Some(socket) = socket.and_then(SocketId::socket) {
            socket.shut_down();
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_does_not_end_in_time_is_overdue() {
        let earlier = LeaseOut::begin();
        tokio::time::advance(Duration::from_millis(1)).await;
        let begun = Instant::now();
        assert!(none_since(begun));
        let lease = LeaseOut::begin();
        let end = begun + Duration::from_millis(500);
        assert!(!wait(begun, end).await);
        assert_eq!(Instant::now(), end);
        assert!(lease.is_overdue() && !earlier.is_overdue());
        // The next invocation does not wait for it.
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(none_since(Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_ends_is_waited_for() {
        let begun = Instant::now();
        let lease = LeaseOut::begin();
        let ends = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            drop(lease);
        };
        let (in_time, ()) = tokio::join!(wait(begun, begun + Duration::from_millis(500)), ends);
        assert!(in_time);
        assert_eq!(begun.elapsed(), Duration::from_millis(100));
    }
}
