//! The one pool or client behind a `&S` or by-value parameter.

use std::sync::Arc;

use lambda_http::BoxFuture;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{Instant, timeout_at};

use super::close::close;
use super::failures::Failures;
use super::hold_time::HoldTime;
use super::inspect::InspectionSchedule;
use super::load_shedding::{Policy, Shedding};
use super::registry::ErasedPool;
use super::shared_lease::{SharedLease, Usage};
use crate::clock::Timestamp;
use crate::connect::health::{self, Health};
use crate::connect::{Connect, retry};
use crate::error::Error;
use crate::invocation::leases_out::LeaseOut;
use crate::invocation::{Step, deadline, failed_leases, waits_for};
use crate::response::Outcome;
use crate::source::Source;
use crate::sync::Mutex;
use crate::telemetry::{Count, Counters, events};

/// The one value of a source in one runtime.
pub(crate) struct SharedValue<S> {
    source: Source,
    policy: Arc<Mutex<Policy>>,
    hold_time: Arc<Mutex<HoldTime>>,
    /// Locked while the value is opened or checked, so that it is opened once.
    pub(super) slot: AsyncMutex<Option<Opened<S>>>,
}

pub(super) struct Opened<S> {
    value: Arc<S>,
    usage: Arc<Mutex<Usage>>,
}

impl<S: Connect + Sync> SharedValue<S> {
    pub(crate) fn new(source: Source) -> Self {
        Self {
            source,
            policy: Arc::new(Mutex::new(Policy::new(source.load_shedding))),
            hold_time: Arc::default(),
            slot: AsyncMutex::new(None),
        }
    }

    /// Leases the value: checked if it is in doubt and unused, opened if there is none.
    // Cancellation safety: while the value is checked this future owns it, and a cancelled check
    // drops it. A new value is stored once it is open.
    pub(crate) async fn acquire(
        &self,
        counters: &'static Counters,
    ) -> Result<SharedLease<S>, Error> {
        let _waits = waits_for(Step::Connection);
        let begun = Instant::now();
        if self.source.has_credentials() {
            failed_leases::pool_has_credentials();
        }
        let out = LeaseOut::begin();
        let result = self.acquire_in_time(begun, out, counters).await;
        result.map_err(|error| retry::report_unavailable(error, begun.elapsed(), counters))
    }

    async fn acquire_in_time(
        &self,
        begun: Instant,
        out: LeaseOut,
        counters: &'static Counters,
    ) -> Result<SharedLease<S>, Error> {
        let needed = self.hold_time.lock().expected();
        let end = deadline::leaving(needed, self.source.connect_timeout);
        let slot = timeout_at(end, self.slot.lock()).await.ok();
        // The lock may be free at the last moment, when the other invocation has given up.
        let slot = slot.filter(|slot| slot.is_some() || Instant::now() < end);
        let mut slot = slot.ok_or_else(|| {
            Error::unavailable(
                "timed out while another invocation was connecting; see that invocation's error",
            )
            .with_attempts(self.source.shown_target(), 0, begun.elapsed())
        })?;
        // The rare steps are boxed: their futures would be a part of every handler's.
        let sound = match slot.take() {
            Some(opened) if opened.usage.lock().is_discarded => None,
            Some(opened) if opened.is_trusted(&self.source) => Some(opened),
            Some(opened) => Box::pin(self.checked(opened, end, counters)).await,
            None => None,
        };
        if let Some(sound) = sound {
            let lease = slot.insert(sound).lease(self, out, counters);
            let is_due = S::DRIVER.is_some() && lease.usage.lock().takes_renewal(&self.source);
            // A renewal concerns nobody else.
            drop(slot);
            if is_due {
                Box::pin(lease.renew(end)).await;
            }
            counters.add(Count::Reused);
            events::reused_after(begun.elapsed());
            return Ok(lease);
        }
        let now = Timestamp::now();
        let pause = self.policy.lock().first_pause();
        let new = retry::open::<S>(&self.source, pause, end, counters).await?;
        let shedding = Shedding::new(Arc::clone(&self.policy), new.found_full);
        let value = Arc::new(new.connection);
        let usage = Arc::new(Mutex::new(Usage {
            leases: 0,
            last: Timestamp::now(),
            failures: Failures::default(),
            inspections: InspectionSchedule::default(),
            inspected: 0,
            is_discarded: false,
            shedding,
            failed: false,
            is_quiet: true,
            renewed: now,
            renewal_failed: false,
            renewal_requested: false,
        }));
        let opened = Opened { value, usage };
        Ok(slot.insert(opened).lease(self, out, counters))
    }

    /// Returns a value in doubt if another invocation uses it, or if it passes its health check.
    async fn checked(
        &self,
        opened: Opened<S>,
        end: Instant,
        counters: &Counters,
    ) -> Option<Opened<S>> {
        let Opened { value, usage } = opened;
        let mut value = match Arc::try_unwrap(value) {
            Ok(value) => value,
            Err(value) => return Some(Opened { value, usage }),
        };
        let idle = Timestamp::now().since(usage.lock().last);
        match health::check(&mut value, &self.source, idle, end, counters).await {
            Health::Sound => Some(Opened {
                value: Arc::new(value),
                usage,
            }),
            Health::Stale | Health::Silent => None,
        }
    }
}

impl<S: Connect + Sync> Opened<S> {
    /// Returns `true` if the value may be used without a health check.
    fn is_trusted(&self, source: &Source) -> bool {
        let usage = self.usage.lock();
        let idle = Timestamp::now().since(usage.last);
        !usage.failed
            && usage.is_quiet
            && idle < source.verify_after
            && !S::DRIVER.is_some_and(|driver| (driver.is_doubtful)(&self.value))
    }

    fn lease(
        &self,
        of: &SharedValue<S>,
        out: LeaseOut,
        counters: &'static Counters,
    ) -> SharedLease<S> {
        self.usage.lock().leases += 1;
        SharedLease {
            value: Arc::clone(&self.value),
            usage: Arc::clone(&self.usage),
            outcome: Outcome::Failure,
            source: of.source,
            counters,
            since: Instant::now(),
            out,
            hold_time: Arc::clone(&of.hold_time),
        }
    }
}

impl<S: Connect + Sync> ErasedPool for SharedValue<S> {
    fn close_idle(self: Arc<Self>) -> Vec<BoxFuture<'static, ()>> {
        let opened = self.slot.try_lock().ok().and_then(|mut slot| slot.take());
        // A value in use is left to its users.
        let value = opened.and_then(|opened| Arc::into_inner(opened.value));
        let close = |value| {
            let limit = self.source.check_timeout;
            Box::pin(close(value, limit, Counters::of_process())) as BoxFuture<'_, _>
        };
        value.into_iter().map(close).collect()
    }

    fn shut_down(&self) {
        let slot = self.slot.try_lock();
        let opened = slot.as_ref().ok().and_then(|slot| slot.as_ref());
        if let (Some(driver), Some(opened)) = (&S::DRIVER, opened) {
            (driver.shut_down)(&opened.value, &self.source);
        }
    }

    fn runtime_ended(&self) {
        if let Ok(mut slot) = self.slot.try_lock() {
            drop(slot.take());
        }
    }
}
