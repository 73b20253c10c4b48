//! The hold of one invocation on a shared value, and what its end leaves to background work.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::failures::Failures;
use super::hold_time::HoldTime;
use super::inspect::InspectionSchedule;
use super::load_shedding::{Shedding, tend};
use crate::clock::Timestamp;
use crate::connect::{Connect, Cure, catch_panic};
use crate::invocation::leases_out::LeaseOut;
use crate::invocation::{self, background, deadline, on_stream_end};
use crate::response::Outcome;
use crate::source::Source;
use crate::sync::Mutex;
use crate::telemetry::{Counters, events};

/// The hold of one invocation on a shared value.
///
/// Dropped without [`settle`](Self::settle), it makes the next invocation check the value.
#[must_use = "a lease that is dropped makes the next invocation check the value: settle it"]
pub struct SharedLease<S: Connect + Sync> {
    pub(super) value: Arc<S>,
    pub(super) usage: Arc<Mutex<Usage>>,
    pub(super) outcome: Outcome,
    pub(super) source: Source,
    pub(super) counters: &'static Counters,
    pub(super) since: Instant,
    pub(super) out: LeaseOut,
    pub(super) hold_time: Arc<Mutex<HoldTime>>,
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
    pub(super) async fn renew(&self, end: Instant) {
        let Some(driver) = S::DRIVER else {
            return;
        };
        let end = end.min(deadline::after(self.source.attempt_timeout));
        let renewal = catch_panic((driver.renew)(&self.value, &self.source));
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

/// The use of a shared value by its leases.
pub(super) struct Usage {
    /// The number of leases so far.
    pub(super) leases: u64,
    /// The time of the last release.
    pub(super) last: Timestamp,
    pub(super) failures: Failures,
    pub(super) inspections: InspectionSchedule,
    /// The number of inspections so far.
    pub(super) inspected: u64,
    /// `true` if no further invocation may use the value.
    pub(super) is_discarded: bool,
    pub(super) shedding: Shedding,
    /// `true` if the invocation that released it last failed.
    pub(super) failed: bool,
    /// `true` if nothing is unfinished on the value. Otherwise it is in doubt.
    pub(super) is_quiet: bool,
    /// The time of the last renewal.
    pub(super) renewed: Timestamp,
    pub(super) renewal_failed: bool,
    /// `true` after a failed invocation.
    pub(super) renewal_requested: bool,
}

impl Usage {
    /// Returns `true` if the caller must renew the connect options now. Nobody else does then.
    ///
    /// A renewal is due after a failed invocation, when the credentials may have expired, and when
    /// the function's time-out turns out to be longer.
    pub(super) fn takes_renewal(&mut self, source: &Source) -> bool {
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
