//! Acquiring a connection: the newest idle one, checked if in doubt, or a new one. A dead
//! connection is replaced here.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};

use super::{CheckedOut, Failures, Idle, Pool, Standing, is_too_old, report_discarded};
use crate::clock::Timestamp;
use crate::connect::health::{self, Health};
use crate::connect::{Connect, retry};
use crate::error::Error;
use crate::invocation::leases_out::LeaseOut;
use crate::invocation::{Step, deadline, waits_for};
use crate::telemetry::{Count, Counters, events};

impl<C: Connect> Pool<C> {
    /// Acquires the newest idle connection that is trusted or passes its health check, otherwise
    /// a new one.
    pub(crate) async fn acquire(
        self: Arc<Self>,
        counters: &'static Counters,
    ) -> Result<CheckedOut<C>, Error> {
        if let Some(connection) = self.acquire_trusted(counters) {
            return Ok(connection);
        }
        let _waits = waits_for(Step::Connection);
        let out = LeaseOut::begin();
        let begun = Instant::now();
        let result = self.acquire_in_time(counters).await.map(|mut connection| {
            out.uses(connection.link.socket_id());
            connection.out = Some(out);
            connection
        });
        let took = begun.elapsed();
        counters.add_time(Count::WaitingNanos, took);
        result.map_err(|error| retry::report_unavailable(error, took, counters))
    }

    /// Acquires without waiting, the common case: a permit is free, and the newest idle
    /// connection is trusted.
    fn acquire_trusted(self: &Arc<Self>, counters: &'static Counters) -> Option<CheckedOut<C>> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        let idle = self
            .state()
            .idle
            .pop_if(|idle| idle.is_trusted(&self.source))?;
        if idle.is_doubtful() {
            // Its health check takes time.
            let mut state = self.state();
            if !state.has_ended {
                state.idle.push(idle);
            }
            return None;
        }
        counters.add(Count::Reused);
        events::reused(|| idle.age());
        let mut connection = CheckedOut::reused(idle, self, permit, counters);
        let out = LeaseOut::begin();
        out.uses(connection.link.socket_id());
        connection.out = Some(out);
        Some(connection)
    }

    // Cancellation safety: at each await this future owns the permit and the connection, if there
    // is one. Dropping the future drops both.
    async fn acquire_in_time(
        self: Arc<Self>,
        counters: &'static Counters,
    ) -> Result<CheckedOut<C>, Error> {
        let begun = Instant::now();
        let needed = self.state().hold_time.expected();
        let end = deadline::leaving(needed, self.source.connect_timeout);
        let waiting = Waiting::begin(&self);
        let permit = timeout_at(end, Arc::clone(&self.permits).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else {
            return Err(self.no_permit(begun.elapsed()));
        };
        let sound = self.sound_idle(end, counters).await;
        drop(waiting);
        let is_reused = sound.is_some();
        let idle_since = sound.as_ref().map(|idle| idle.since);
        let (connection, opened, standing, link, failures) = match sound {
            Some(idle) => {
                counters.add(Count::Reused);
                events::reused_after(begun.elapsed());
                let failures = idle.failures;
                (
                    idle.connection,
                    idle.opened,
                    idle.standing,
                    idle.link,
                    failures,
                )
            }
            None => {
                self.keep_another();
                let pause = self.state().policy.first_pause();
                let new = retry::open(&self.source, pause, end, counters).await?;
                let standing = Standing::of_new(new.found_full);
                (
                    new.connection,
                    Timestamp::now(),
                    standing,
                    new.link,
                    Failures::default(),
                )
            }
        };
        Ok(CheckedOut {
            connection,
            replacement: None,
            out: None,
            since: Instant::now(),
            is_reused,
            idle_since,
            opened,
            standing,
            link,
            failures,
            pool: self,
            permit,
            counters,
        })
    }

    fn no_permit(&self, waited: Duration) -> Error {
        let max = self.source.connection_limit();
        let cause = format!(
            "all {max} connections that `Source::max_connections` allows this sandbox are in \
             use, perhaps by annotated functions that call others while they hold their own: \
             raise the limit"
        );
        Error::saturated(cause).with_attempts(self.source.shown_target(), 0, waited)
    }

    /// Keeps as many idle connections as are leased at once, unless the source sets the number.
    fn keep_another(&self) {
        if self.source.keep.is_none() {
            let permits = self.source.connection_limit() - self.permits.available_permits();
            let mut state = self.state();
            state.keep = state.keep.max(permits.saturating_sub(state.returning));
        }
    }

    /// Takes the newest idle connection that is trusted or passes its health check.
    async fn sound_idle(&self, end: Instant, counters: &Counters) -> Option<Idle<C>> {
        while let Some(mut idle) = self.newest_idle(end).await {
            if is_too_old(idle.opened, &self.source) {
                // Dropped, because closing it would take time and a permit.
                report_discarded(
                    "older than `max_lifetime`, or than the known time-out",
                    counters,
                );
                continue;
            }
            if idle.is_trusted(&self.source) && !idle.is_doubtful() {
                return Some(idle);
            }
            let (age, asked) = (idle.age(), Instant::now());
            match health::check(&mut idle.connection, &self.source, age, end, counters).await {
                Health::Sound => {
                    idle.since = Timestamp::now();
                    idle.link.answered(asked);
                    return Some(idle);
                }
                Health::Stale => {}
                Health::Silent => {
                    // The others were idle for longer on the same network. A new connection costs
                    // less than another time-out.
                    let doubtful = self.take_doubtful();
                    doubtful.iter().for_each(|_| counters.add(Count::Stale));
                }
            }
        }
        None
    }

    /// Takes the newest idle connection.
    ///
    /// If none is idle but one is returning, waits for that one: its background work takes one
    /// round trip, and opening another connection takes several. After `end` only a trusted
    /// connection is taken, because no time is left for a health check.
    pub(super) async fn newest_idle(&self, end: Instant) -> Option<Idle<C>> {
        let end_of_wait = end.min(deadline::after(self.source.check_timeout));
        loop {
            let mut returned = std::pin::pin!(self.returned.notified());
            returned.as_mut().enable();
            {
                let mut state = self.state();
                let is_usable =
                    |idle: &mut Idle<C>| Instant::now() < end || idle.is_trusted(&self.source);
                if let Some(idle) = state.idle.pop_if(is_usable) {
                    return Some(idle);
                }
                if state.returning == 0 {
                    return None;
                }
            }
            timeout_at(end_of_wait, returned).await.ok()?;
        }
    }

    /// Waits until a connection is idle if one is returning.
    pub(super) async fn some_idle(&self, end: Instant) {
        loop {
            let mut returned = std::pin::pin!(self.returned.notified());
            returned.as_mut().enable();
            {
                let state = self.state();
                if !state.idle.is_empty() || state.returning == 0 {
                    return;
                }
            }
            if timeout_at(end, returned).await.is_err() {
                return;
            }
        }
    }

    /// Takes the newest idle connection of one standing, with a permit.
    pub(super) fn take_newest(
        &self,
        standing: Standing,
    ) -> Option<(Idle<C>, OwnedSemaphorePermit)> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().ok()?;
        let mut state = self.state();
        let mut idle = state.idle.iter();
        let position = idle.rposition(|idle| idle.standing == standing)?;
        Some((state.idle.remove(position), permit))
    }

    fn take_doubtful(&self) -> Vec<Idle<C>> {
        self.state()
            .idle
            .extract_if(.., |idle| !idle.is_trusted(&self.source))
            .collect()
    }
}

/// Counts somebody who waits for a connection, until dropped.
struct Waiting<'a, C: Connect>(&'a Pool<C>);

impl<'a, C: Connect> Waiting<'a, C> {
    fn begin(pool: &'a Pool<C>) -> Self {
        pool.state().waiting += 1;
        pool.wanted.notify_waiters();
        Self(pool)
    }
}

impl<C: Connect> Drop for Waiting<'_, C> {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}
