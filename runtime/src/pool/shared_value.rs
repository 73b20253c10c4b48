//! The one pool or client behind a `&S` or by-value parameter.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use lambda_http::BoxFuture;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::close::close;
use super::failures::Failures;
use super::hold_time::HoldTime;
use super::inspect::InspectionSchedule;
use super::load_shedding::{Policy, Shedding, tend};
use super::registry::ErasedPool;
use crate::clock::Timestamp;
use crate::connect::health::{self, Health};
use crate::connect::{Connect, Cure, catch_panic, retry};
use crate::error::Error;
use crate::invocation::leases_out::LeaseOut;
use crate::invocation::{
    self, Step, background, deadline, failed_leases, on_stream_end, waits_for,
};
use crate::response::Outcome;
use crate::source::Source;
use crate::sync::Mutex;
use crate::telemetry::{Count, Counters, events};

/// The hold of one invocation on a shared value.
///
/// Dropped without [`settle`](Self::settle), it makes the next invocation check the value.
#[must_use = "a lease that is dropped makes the next invocation check the value: settle it"]
pub struct SharedLease<S: Connect + Sync> {
    value: Arc<S>,
    usage: Arc<Mutex<Usage>>,
    outcome: Outcome,
    source: Source,
    counters: &'static Counters,
    since: Instant,
    out: LeaseOut,
    hold_time: Arc<Mutex<HoldTime>>,
}

impl<S: Connect + Sync> SharedLease<S> {
    /// Returns the value.
    #[must_use]
    pub fn get(lease: &Self) -> &S {
        &lease.value
    }

    /// Releases the value without awaiting.
    ///
    /// If nobody else uses the value, its unfinished work (a connection that returns to its pool)
    /// is waited for in the background, within
    /// [`check_timeout`](crate::Source::check_timeout).
    ///
    /// In a handler under the [`Streaming`](crate::Streaming) layer the release happens when the
    /// handler's stream has ended.
    pub fn settle(lease: Self, outcome: Outcome) {
        on_stream_end::run(move |is_complete| {
            let mut lease = lease;
            lease.outcome = if is_complete {
                outcome
            } else {
                Outcome::Failure
            };
        });
    }

    /// Renews the connect options of the value. An error is logged only, because open connections
    /// need neither a URL nor credentials.
    async fn renew(&self, source: &Source, end: Instant) {
        let Some(driver) = S::DRIVER else {
            return;
        };
        let end = end.min(deadline::after(source.attempt_timeout));
        let renewal = catch_panic((driver.renew)(&self.value, source));
        match timeout_at(end, renewal).await {
            Ok(Ok(())) => self.usage.lock().renewal_failed = false,
            Ok(Err(error)) => events::not_renewed(&error),
            Err(_) => events::not_renewed(&"no answer in time"),
        }
    }
}

impl<S: Connect + Sync> Drop for SharedLease<S> {
    fn drop(&mut self) {
        self.hold_time.lock().record(self.since.elapsed());
        if self.out.is_overdue() {
            // The sandbox was frozen meanwhile.
            self.outcome = Outcome::Failure;
        }
        // Two owners: the pool and this lease. Other leases keep the sandbox from being frozen.
        let is_last = Arc::strong_count(&self.value) <= 2;
        let needs_quiesce = is_last && self.value.needs_quiesce();
        // The idle time starts here, because a freeze may follow before the value is quiet.
        let last = Timestamp::now();
        let mut usage = self.usage.lock();
        usage.last = last;
        let cure = usage
            .failures
            .count(self.outcome, S::DRIVER.as_ref(), &self.source);
        if let Some((Cure::Replace, reason)) = cure {
            usage.failures = Failures::default();
            // A client of the user is replaced as a whole.
            usage.is_discarded = S::DRIVER.is_none();
            events::discarded(reason);
        }
        let failed = cure.is_some();
        usage.failed = failed;
        usage.is_quiet = !needs_quiesce;
        usage.renewal_requested |= failed;
        let inspects = cure.is_none() && S::DRIVER.is_some() && {
            let previous = usage.inspected;
            usage.inspections.takes(previous)
        };
        usage.inspected += u64::from(inspects);
        let sheds = usage.shedding.concerns(&*self.value, &self.source);
        let leases = usage.leases;
        drop(usage);
        let recovery = cure.and_then(|(cure, _)| {
            let recover = S::DRIVER.as_ref()?.recover;
            Some(recover(&self.value, &self.source, cure))
        });
        let ends = S::DRIVER.is_some_and(|driver| is_last && (driver.has_abandoned)(&self.source));
        if !needs_quiesce && recovery.is_none() && !inspects && !sheds && !ends {
            return;
        }
        let (value, source) = (Arc::downgrade(&self.value), self.source);
        let (usage, counters) = (Arc::clone(&self.usage), self.counters);
        let response = invocation::responded();
        background::spawn(async move {
            if needs_quiesce {
                let mut end = ShutDown {
                    value: Weak::clone(&value),
                    usage: Arc::clone(&usage),
                    leases,
                    source,
                    is_needed: true,
                };
                let quiesced = quiesced(Weak::clone(&value));
                let is_quiet = timeout(source.check_timeout, quiesced).await.is_ok();
                end.is_needed = !is_quiet;
                drop(end);
                let mut usage = usage.lock();
                // A later release replaces this result.
                if usage.last == last {
                    usage.is_quiet = is_quiet;
                }
            }
            if is_last {
                end_abandoned(&value, &usage, &source).await;
            }
            if let Some(recovery) = recovery {
                recovery.await;
            }
            if inspects || sheds {
                response.await;
                tend(value, usage, source, inspects, counters).await;
            }
        });
    }
}

/// Shuts the sockets down of a value whose connections do not return, unless another invocation
/// uses it. That happens when it is dropped, because the wait for the connections may be aborted.
struct ShutDown<S: Connect + Sync> {
    value: Weak<S>,
    usage: Arc<Mutex<Usage>>,
    /// The number of leases when the wait began.
    leases: u64,
    source: Source,
    /// `false` if the connections have returned.
    is_needed: bool,
}

impl<S: Connect + Sync> Drop for ShutDown<S> {
    fn drop(&mut self) {
        if self.is_needed
            && let (Some(driver), Some(value)) = (&S::DRIVER, self.value.upgrade())
            && self.usage.lock().leases == self.leases
        {
            (driver.shut_down)(&value, &self.source);
        }
    }
}

/// Ends what the last invocation has abandoned at the server, unless another one uses the value.
async fn end_abandoned<S: Connect + Sync>(
    value: &Weak<S>,
    usage: &Arc<Mutex<Usage>>,
    source: &Source,
) {
    let leases = usage.lock().leases;
    let (unused_value, used) = (Weak::clone(value), Arc::clone(usage));
    // Only the reference in the slot is left.
    let is_unused = move || unused_value.strong_count() <= 1 && used.lock().leases == leases;
    let end = match (&S::DRIVER, value.upgrade()) {
        (Some(driver), Some(value)) => (driver.end_abandoned)(&value, source, Box::new(is_unused)),
        _ => return,
    };
    end.await;
}

/// Waits until nothing is unfinished. Holds no strong reference, which would make the value look
/// used.
async fn quiesced<S: Connect>(value: Weak<S>) {
    while value.upgrade().is_some_and(|value| value.needs_quiesce()) {
        sleep(Duration::from_millis(1)).await;
    }
}

impl<S: Connect + Sync> fmt::Debug for SharedLease<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedLease").finish_non_exhaustive()
    }
}

/// The age at which credentials are renewed: a third of an RDS token's lifetime.
const RENEW_AFTER: Duration = Duration::from_secs(5 * 60);

/// The shortest time between two renewals after failed invocations.
const RENEW_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The shortest time between a failed renewal and the next.
const RENEW_AGAIN: Duration = Duration::from_secs(5);

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

pub(super) struct Usage {
    /// The number of leases so far.
    leases: u64,
    /// The time of the last release.
    last: Timestamp,
    failures: Failures,
    inspections: InspectionSchedule,
    /// The number of inspections so far.
    inspected: u64,
    /// `true` if no further invocation may use the value.
    pub(super) is_discarded: bool,
    pub(super) shedding: Shedding,
    /// `true` if the invocation that released it last failed.
    failed: bool,
    /// `true` if nothing is unfinished on the value. Otherwise it is in doubt.
    is_quiet: bool,
    /// The time of the last renewal.
    renewed: Timestamp,
    renewal_failed: bool,
    /// `true` after a failed invocation.
    renewal_requested: bool,
}

impl Usage {
    /// Returns `true` if the caller must renew the connect options now. Nobody else does then.
    ///
    /// A renewal is due after a failed invocation, when the credentials may have expired, and when
    /// the function's time-out turns out to be longer.
    fn takes_renewal(&mut self, source: &Source) -> bool {
        let pause = if self.renewal_failed {
            RENEW_AGAIN
        } else if self.renewal_requested {
            RENEW_AFTER_FAILURE
        } else {
            RENEW_AFTER
        };
        let now = Timestamp::now();
        let age = now.since(self.renewed);
        let may_renew = self.renewal_requested || self.renewal_failed || source.has_credentials();
        // The options contain limits for the function's time-out.
        let is_outdated = invocation::time_out_grew().is_some_and(|grew| now.since(grew) < age);
        let is_due = is_outdated || may_renew && age >= pause;
        if is_due {
            // Failed until proven otherwise: the renewal may be cancelled.
            (self.renewed, self.renewal_failed) = (now, true);
            self.renewal_requested = false;
        }
        is_due
    }
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
            .with_attempts(self.source.target(), 0, begun.elapsed())
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
                Box::pin(lease.renew(&self.source, end)).await;
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
        !usage.failed && usage.is_quiet && idle < source.verify_after
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
