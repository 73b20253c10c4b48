//! The pool: the connections of one [`Source`] in one tokio runtime, idle, leased or returning.

mod acquire;
mod checked_out;
mod close;
mod failures;
mod hold_time;
mod inspect;
mod load_shedding;
pub(crate) mod registry;
mod release;
mod shared_lease;
mod shared_value;

pub(crate) use checked_out::CheckedOut;
pub use shared_lease::SharedLease;
pub(crate) use shared_value::SharedValue;

use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use lambda_http::BoxFuture;
use tokio::sync::{Mutex as AsyncMutex, Notify, Semaphore};

use self::close::close;
use self::failures::Failures;
use self::hold_time::HoldTime;
use self::inspect::InspectionSchedule;
use self::load_shedding::{Policy, Standing};
use self::registry::ErasedPool;
use crate::clock::Timestamp;
use crate::connect::{Connect, Link, health};
use crate::source::Source;
use crate::sync::Mutex;
use crate::telemetry::{Count, Counters, events};

/// The connections of one source in one runtime.
///
/// At any time a connection has exactly one owner: the pool while it is idle, or a
/// [`CheckedOut`], which also owns a permit. Dropping a `CheckedOut` drops its connection and frees
/// its permit.
pub(crate) struct Pool<C> {
    source: Source,
    permits: Arc<Semaphore>,
    state: Mutex<State<C>>,
    /// Notified when a connection becomes idle, or stops returning.
    returned: Notify,
    /// Notified when somebody begins to wait for a connection.
    wanted: Notify,
    /// Locked while idle connections are asked and closed, so that one answer counts for all.
    turn: AsyncMutex<()>,
}

struct State<C> {
    /// The newest last.
    idle: Vec<Idle<C>>,
    /// The number of connections that may stay idle.
    keep: usize,
    /// The number of connections that background work quiesces, checks or closes.
    returning: usize,
    /// The number of those who wait for a connection.
    waiting: usize,
    policy: Policy,
    hold_time: HoldTime,
    inspections: InspectionSchedule,
    /// `true` after the runtime has ended. Then no connection becomes idle.
    has_ended: bool,
}

struct Idle<C> {
    connection: C,
    failures: Failures,
    opened: Timestamp,
    standing: Standing,
    link: Link,
    since: Timestamp,
}

impl<C: Connect> Pool<C> {
    pub(crate) fn new(source: Source) -> Self {
        let keep = source.keep_or_concurrency();
        Self {
            source,
            permits: Arc::new(Semaphore::new(source.connection_limit())),
            state: Mutex::new(State {
                idle: Vec::with_capacity(keep.min(64) + 1),
                keep,
                returning: 0,
                waiting: 0,
                policy: Policy::new(source.load_shedding),
                hold_time: HoldTime::default(),
                inspections: InspectionSchedule::default(),
                has_ended: false,
            }),
            returned: Notify::new(),
            wanted: Notify::new(),
            turn: AsyncMutex::new(()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock()
    }

    /// Returns the numbers of idle and returning connections and of free permits.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let state = self.state();
        (
            state.idle.len(),
            state.returning,
            self.permits.available_permits(),
        )
    }
}

impl<C: Connect> Idle<C> {
    /// Returns `true` if the connection may be used without a health check.
    fn is_trusted(&self, source: &Source) -> bool {
        self.age() < source.verify_after && !is_too_old(self.opened, source) && self.link.is_quiet()
    }

    /// Returns `true` if the driver asks for a health check. It may read the connection's stream.
    /// So the pool must not be locked.
    fn is_doubtful(&self) -> bool {
        C::DRIVER.is_some_and(|driver| (driver.is_doubtful)(&self.connection))
    }

    /// Returns the time since the connection became idle.
    fn age(&self) -> Duration {
        Timestamp::now().since(self.since)
    }
}

/// Returns `true` if a connection must not be used any more because of its age.
fn is_too_old(opened: Timestamp, source: &Source) -> bool {
    health::is_too_old(Timestamp::now().since(opened), source)
}

/// Logs and counts a connection that is dropped.
fn report_discarded(reason: &str, counters: &Counters) {
    events::discarded(reason);
    counters.add(Count::Discarded);
}

impl<C: Connect> ErasedPool for Pool<C> {
    fn close_idle(self: Arc<Self>) -> Vec<BoxFuture<'static, ()>> {
        let idle = std::mem::take(&mut self.state().idle);
        let close = |idle: Idle<C>| {
            let limit = self.source.check_timeout;
            Box::pin(close(idle.connection, limit, Counters::of_process())) as BoxFuture<'_, _>
        };
        idle.into_iter().map(close).collect()
    }

    /// Does nothing, because each lease knows its socket.
    fn shut_down(&self) {}

    fn runtime_ended(&self) {
        let idle = {
            let mut state = self.state();
            state.has_ended = true;
            std::mem::take(&mut state.idle)
        };
        drop(idle);
    }
}

#[cfg(test)]
mod tests;
