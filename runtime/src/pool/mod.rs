//! The connections of one `Source` in one runtime: idle, leased, or owed something.

mod closing;
mod guarded;
mod held;
mod opening;

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::clock::Moment;
use crate::connect::check;
use crate::guard::Watch;
use crate::registry::{Keeper, Work};
use crate::stats::{Count, Counters};
use crate::{Connect, Error, Source, connecting, limit};

use closing::close;
pub(crate) use held::Held;

/// Where connections wait between invocations.
///
/// At every moment a connection is in exactly one place: idle in here, or in a [`Held`], which owns
/// a permit as well; whoever drops a `Held` drops its connection and frees its permit.
pub(crate) struct Depot<C> {
    source: Source,
    permits: Arc<Semaphore>,
    state: Mutex<State<C>>,
    /// Something was parked, or is owed no more.
    returned: Notify,
}

struct State<C> {
    /// The newest last.
    idle: Vec<Idle<C>>,
    /// How many may stay idle.
    keep: usize,
    /// How many connections are being brought to rest, checked or closed.
    owed: usize,
    /// When the guard asks next.
    watch: Watch,
    /// The runtime has ended: nothing is parked any more.
    ended: bool,
}

struct Idle<C> {
    connection: C,
    opened: Moment,
    since: Moment,
}

impl<C: Connect> Depot<C> {
    pub(crate) fn new(source: Source) -> Self {
        let keep = source.keep_or_concurrency();
        Self {
            source,
            permits: Arc::new(Semaphore::new(source.max_connections)),
            state: Mutex::new(State {
                idle: Vec::with_capacity(keep.min(64) + 1),
                keep,
                owed: 0,
                watch: Watch::default(),
                ended: false,
            }),
            returned: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest idle connection that can be trusted or passes its check, else a new one.
    pub(crate) async fn lease(
        self: Arc<Self>,
        counters: &'static Counters,
    ) -> Result<Held<C>, Error> {
        let held = match self.lease_now(counters) {
            Some(held) => held,
            None => {
                let begun = Instant::now();
                let result = self.lease_in_time(counters).await;
                let took = begun.elapsed();
                counters.add_time(Count::WaitingNanos, took);
                result.map_err(|error| connecting::refused(error, took, counters))?
            }
        };
        Ok(held)
    }

    /// The common case: a permit is free and the newest idle connection can be trusted.
    fn lease_now(self: &Arc<Self>, counters: &'static Counters) -> Option<Held<C>> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        let idle = self
            .state()
            .idle
            .pop_if(|idle| idle.is_trusted(&self.source))?;
        counters.add(Count::Reused);
        tracing::debug!(target: "reuse_db", idle = ?idle.age(), "reused");
        Some(Held {
            connection: idle.connection,
            instead: None,
            was_idle: true,
            opened: idle.opened,
            depot: Arc::clone(self),
            permit,
            counters,
        })
    }

    // Cancellation safety: at each await the connection, if there is one, is owned by this future,
    // and so is the permit; dropping it drops both.
    async fn lease_in_time(self: Arc<Self>, counters: &'static Counters) -> Result<Held<C>, Error> {
        let begun = Instant::now();
        let end = limit::until(self.source.connect_timeout);
        let permit = timeout_at(end, Arc::clone(&self.permits).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else {
            return Err(self.no_permit(begun.elapsed()));
        };
        let sound = self.sound_idle(end, counters).await;
        let was_idle = sound.is_some();
        let (connection, opened) = match sound {
            Some(idle) => {
                counters.add(Count::Reused);
                tracing::debug!(target: "reuse_db", took = ?begun.elapsed(), "reused");
                (idle.connection, idle.opened)
            }
            None => {
                self.keep_another();
                let connection = connecting::open(&self.source, end, counters).await?;
                (connection, Moment::now())
            }
        };
        Ok(Held {
            connection,
            instead: None,
            was_idle,
            opened,
            depot: self,
            permit,
            counters,
        })
    }

    fn no_permit(&self, waited: Duration) -> Error {
        let max = self.source.max_connections;
        let cause = format!(
            "all {max} connections that `Source::max_connections` allows this sandbox are in use, \
             perhaps by annotated functions that call others while they hold their own: raise it"
        );
        Error::saturated(cause).after(self.source.target(), 0, waited)
    }

    /// What is leased at once is needed at once: it is kept from now on, unless the source says how
    /// many are.
    fn keep_another(&self) {
        if self.source.keep.is_none() {
            let permits = self.source.max_connections - self.permits.available_permits();
            let mut state = self.state();
            state.keep = state.keep.max(permits.saturating_sub(state.owed));
        }
    }

    /// The newest idle connection that is trusted or passes its check.
    async fn sound_idle(&self, end: Instant, counters: &Counters) -> Option<Idle<C>> {
        while let Some(mut idle) = self.newest_idle(end).await {
            if is_too_old(idle.opened, &self.source) {
                // Not closed politely: that would take time, and a permit.
                discarded(TOO_OLD, counters);
                continue;
            }
            if idle.is_trusted(&self.source) {
                return Some(idle);
            }
            counters.add(Count::Checked);
            let (begun, age) = (Instant::now(), idle.age());
            let end_of_check = limit::after(self.source.check_timeout);
            let check = timeout_at(
                end_of_check.min(end),
                check(&mut idle.connection, &self.source),
            )
            .await;
            let took = begun.elapsed();
            match check {
                Ok(Ok(())) => {
                    tracing::debug!(target: "reuse_db", idle = ?age, ?took, "checked");
                    return Some(idle);
                }
                Ok(Err(error)) => {
                    tracing::debug!(target: "reuse_db", idle = ?age, ?took, %error, "stale");
                    counters.add(Count::Stale);
                }
                Err(_) => {
                    tracing::debug!(target: "reuse_db", idle = ?age, ?took, error = "no answer in time", "stale");
                    counters.add(Count::Stale);
                    // The others have been idle for longer, on the same network: opening a new one
                    // costs less than another time-out. A check cut short says nothing of them.
                    if end_of_check <= end {
                        let doubtful = self.take_doubtful();
                        doubtful.iter().for_each(|_| counters.add(Count::Stale));
                    }
                }
            }
        }
        None
    }

    /// The newest idle connection. If there is none but one is being brought to rest or checked, it
    /// is waited for, as that takes one round trip and opening another takes several. Past the end
    /// there is no time for a check: a doubtful one is left where it is.
    async fn newest_idle(&self, end: Instant) -> Option<Idle<C>> {
        let end_of_wait = end.min(limit::after(self.source.check_timeout));
        loop {
            let mut returned = std::pin::pin!(self.returned.notified());
            returned.as_mut().enable();
            {
                let mut state = self.state();
                let can_be_had =
                    |idle: &mut Idle<C>| Instant::now() < end || idle.is_trusted(&self.source);
                if let Some(idle) = state.idle.pop_if(can_be_had) {
                    return Some(idle);
                }
                if state.owed == 0 {
                    return None;
                }
            }
            timeout_at(end_of_wait, returned).await.ok()?;
        }
    }

    fn take_doubtful(&self) -> Vec<Idle<C>> {
        self.state()
            .idle
            .extract_if(.., |idle| !idle.is_trusted(&self.source))
            .collect()
    }

    /// What [`Depot::new`] promises, as far as it can be seen from here.
    #[cfg(test)]
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let state = self.state();
        (
            state.idle.len(),
            state.owed,
            self.permits.available_permits(),
        )
    }
}

impl<C> Idle<C> {
    fn is_trusted(&self, source: &Source) -> bool {
        self.age() < source.verify_after && !is_too_old(self.opened, source)
    }

    /// For how long it has been idle.
    fn age(&self) -> Duration {
        Moment::now().since(self.since)
    }
}

/// Whether a connection is past its [`max_lifetime`](Source::max_lifetime).
fn is_too_old(opened: Moment, source: &Source) -> bool {
    source
        .max_lifetime
        .is_some_and(|most| Moment::now().since(opened) >= most)
}

const TOO_OLD: &str = "older than `max_lifetime`";

fn discarded(reason: &str, counters: &Counters) {
    tracing::debug!(target: "reuse_db", reason, "discarded");
    counters.add(Count::Discarded);
}

impl<C: Connect> Keeper for Depot<C> {
    fn drain(self: Arc<Self>) -> Vec<Work> {
        static SHUTDOWN: Counters = Counters::new();
        let idle = std::mem::take(&mut self.state().idle);
        idle.into_iter()
            .map(|idle| {
                Box::pin(close(idle.connection, Arc::clone(&self), None, &SHUTDOWN)) as Pin<Box<_>>
            })
            .collect()
    }

    fn end(&self) {
        let idle = {
            let mut state = self.state();
            state.ended = true;
            std::mem::take(&mut state.idle)
        };
        drop(idle);
    }
}

#[cfg(test)]
mod tests;
