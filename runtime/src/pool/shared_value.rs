//! The static behind a `&S` or by-value parameter.

use std::marker::PhantomData;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::clock::Moment;
use crate::connect::check;
use crate::registry::{Keeper, Way, Work};
use crate::stats::{Count, Counters};
use crate::{Connect, Error, Outcome, Source, Stats, connecting, limit, owed, streamed};

/// The static for shared handles: the one pool or client that every invocation borrows, or clones.
///
/// `#[reuse_db]` makes one for each `&S` or by-value parameter. Statics of the same type and equal
/// [`Source`] share the value. Like a connection it belongs to the tokio runtime that opened it.
pub struct Shared<S: ?Sized> {
    pub(crate) source: Source,
    pub(crate) way: Way,
    pub(crate) counters: Counters,
    value: PhantomData<fn(&S)>,
}

impl<S: ?Sized> Shared<S> {
    /// A static that connects to `source` on first use.
    #[must_use]
    pub const fn new(source: Source) -> Self {
        Self {
            source,
            way: Way::new(),
            counters: Counters::new(),
            value: PhantomData,
        }
    }

    /// What happened to values that were leased through this static.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.counters.read()
    }
}

impl<S: Connect + Sync> Shared<S> {
    /// The value, opened if there is none yet. If nobody else uses it and it has been idle for
    /// [`verify_after`](Source::verify_after), or its last invocation failed, it is checked first,
    /// and replaced if it does not pass. A failure to connect is not remembered.
    ///
    /// # Errors
    ///
    /// Those of [`Parked::lease`](crate::Parked::lease).
    pub async fn lease(&'static self) -> Result<SharedLease<S>, Error> {
        let single = self.way.find(&self.source, Single::<S>::new)?;
        let begun = Instant::now();
        let result = single.lease(&self.counters).await;
        result.map_err(|error| connecting::refused(error, begun.elapsed(), &self.counters))
    }

    /// Opens the value now, before the first invocation needs it. See
    /// [`Parked::warm`](crate::Parked::warm).
    pub async fn warm(&'static self) {
        connecting::warm(async || {
            self.lease()
                .await
                .map(|lease| SharedLease::settle(lease, Outcome::Success))
        })
        .await;
    }
}

impl<S: ?Sized> std::fmt::Debug for Shared<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("source", &self.source)
            .field("stats", &self.stats())
            .finish()
    }
}

/// One invocation's hold on a shared value.
///
/// Dropped without [`settle`](Self::settle) it makes the next invocation check the value.
#[must_use = "a lease that is dropped makes the next invocation check the value: settle it"]
pub struct SharedLease<S: Connect + Sync> {
    value: Arc<S>,
    used: Arc<std::sync::Mutex<Use>>,
    outcome: Outcome,
    rest_timeout: Duration,
}

impl<S: Connect + Sync> SharedLease<S> {
    /// The value.
    #[must_use]
    pub fn get(lease: &Self) -> &S {
        &lease.value
    }

    /// Gives the value back, without awaiting anything. If nobody else uses it, what is unfinished
    /// on it then (a connection on its way back to its pool) is waited for in the background,
    /// within [`check_timeout`](Source::check_timeout).
    ///
    /// In a handler under the [`Streamed`](crate::Streamed) layer all that is done when the stream
    /// that the handler returns has ended.
    pub fn settle(lease: Self, outcome: Outcome) {
        streamed::settle(move |is_complete| {
            let mut lease = lease;
            lease.outcome = if is_complete {
                outcome
            } else {
                Outcome::Failure
            };
        });
    }
}

impl<S: Connect + Sync> SharedLease<S> {
    /// Renews what the value connects with, if it is to be now. An error is logged: what is open needs
    /// neither a URL nor credentials.
    async fn renew(&self, source: &Source, end: Instant) {
        if !lock(&self.used).takes_renewal(source) {
            return;
        }
        let end = end.min(limit::after(source.attempt_timeout));
        let error =
            match timeout_at(end, Box::pin(connecting::caught(self.value.renew(source)))).await {
                Ok(Ok(())) => {
                    lock(&self.used).was_in_vain = false;
                    return;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer in time".to_owned(),
            };
        tracing::warn!(target: "reuse_db", %error, "not renewed");
    }
}

impl<S: Connect + Sync> Drop for SharedLease<S> {
    fn drop(&mut self) {
        let failed = self.outcome == Outcome::Failure;
        // The place where it is kept, and this lease: others would not be frozen in the middle of
        // theirs.
        let is_last = Arc::strong_count(&self.value) <= 2;
        let is_unfinished = is_last && self.value.unfinished();
        // Not when it has come to rest: a freeze may be in between.
        let last = Moment::now();
        let mut used = lock(&self.used);
        used.last = last;
        used.failed = failed;
        used.is_at_rest = !is_unfinished;
        used.is_to_be_renewed |= failed;
        drop(used);
        if is_unfinished {
            let (value, limit) = (Arc::downgrade(&self.value), self.rest_timeout);
            let used = Arc::clone(&self.used);
            owed::spawn(async move {
                let is_at_rest = timeout(limit, at_rest(value)).await.is_ok();
                let mut used = lock(&used);
                // Whoever gave it back since has had the last word.
                if used.last == last {
                    used.is_at_rest = is_at_rest;
                }
            });
        }
    }
}

/// Does not hold the value meanwhile, which would make it look used.
async fn at_rest<S: Connect>(value: Weak<S>) {
    while value.upgrade().is_some_and(|value| value.unfinished()) {
        sleep(Duration::from_millis(1)).await;
    }
}

impl<S: Connect + Sync> std::fmt::Debug for SharedLease<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedLease").finish_non_exhaustive()
    }
}

/// How old the credentials of what opens connections by itself may become: a third of what a token of
/// RDS lives.
const RENEWED_AFTER: Duration = Duration::from_secs(5 * 60);
/// How often they are asked for at most, whatever fails; and if asking failed.
const RENEWED_AT_MOST: Duration = Duration::from_secs(1);
const RENEWED_AFTER_ERROR: Duration = Duration::from_secs(5);

/// The one value of a `Source` in one runtime.
struct Single<S> {
    source: Source,
    /// Locked while it is opened or checked, so that it is opened once.
    value: Mutex<Option<Opened<S>>>,
}

struct Opened<S> {
    value: Arc<S>,
    used: Arc<std::sync::Mutex<Use>>,
}

struct Use {
    /// When the value was given back last, and whether that invocation failed.
    last: Moment,
    failed: bool,
    /// Nothing was unfinished on it, or no longer is: until then it is doubtful.
    is_at_rest: bool,
    /// When its credentials were asked for last, and whether they were not given.
    asked: Moment,
    was_in_vain: bool,
    /// An invocation has failed since.
    is_to_be_renewed: bool,
}

impl Use {
    /// Where the value connects by itself, and as whom, is found out again after a failure, and when its
    /// credentials may be others by now. Whoever is told so does it: no other need wait.
    fn takes_renewal(&mut self, source: &Source) -> bool {
        let least = if self.was_in_vain {
            RENEWED_AFTER_ERROR
        } else if self.is_to_be_renewed {
            RENEWED_AT_MOST
        } else {
            RENEWED_AFTER
        };
        let now = Moment::now();
        let may_be = self.is_to_be_renewed || self.was_in_vain || source.credentials.is_some();
        let is_due = may_be && now.since(self.asked) >= least;
        if is_due {
            // As long as nothing else is known: it may be cut off. What fails from here on is another reason.
            (self.asked, self.was_in_vain) = (now, true);
            self.is_to_be_renewed = false;
        }
        is_due
    }
}

fn lock(used: &std::sync::Mutex<Use>) -> std::sync::MutexGuard<'_, Use> {
    used.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: Connect + Sync> Single<S> {
    fn new(source: Source) -> Self {
        Self {
            source,
            value: Mutex::new(None),
        }
    }

    // Cancellation safety: while the value is checked this future owns it, and a check that is cut
    // off drops it; a new one is put in place only when it is open.
    async fn lease(&self, counters: &Counters) -> Result<SharedLease<S>, Error> {
        let end = limit::until(self.source.connect_timeout);
        let begun = Instant::now();
        let slot = timeout_at(end, self.value.lock()).await.ok();
        // It may be free at the last moment, when the other has given up.
        let slot = slot.filter(|slot| slot.is_some() || Instant::now() < end);
        let mut slot = slot.ok_or_else(|| {
            Error::unavailable(
                "another invocation was connecting all the time: its error tells why",
            )
            .after(self.source.target(), 0, begun.elapsed())
        })?;
        if let Some(opened) = slot.take() {
            if let Some(sound) = self.sound(opened, end, counters).await {
                let lease = slot.insert(sound).lease(&self.source);
                // Nobody else waits for what is asked of others.
                drop(slot);
                lease.renew(&self.source, end).await;
                counters.add(Count::Reused);
                tracing::debug!(target: "reuse_db", took = ?begun.elapsed(), "reused");
                return Ok(lease);
            }
            counters.add(Count::Stale);
        }
        let asked = Moment::now();
        let value = Arc::new(connecting::open::<S>(&self.source, end, counters).await?);
        let used = Arc::new(std::sync::Mutex::new(Use {
            last: Moment::now(),
            failed: false,
            is_at_rest: true,
            asked,
            was_in_vain: false,
            is_to_be_renewed: false,
        }));
        let opened = Opened { value, used };
        Ok(slot.insert(opened).lease(&self.source))
    }

    /// The value, if it is trusted, passes its check, or is in use by another invocation, which
    /// will tell.
    async fn sound(
        &self,
        opened: Opened<S>,
        end: Instant,
        counters: &Counters,
    ) -> Option<Opened<S>> {
        let is_trusted = {
            let used = lock(&opened.used);
            !used.failed
                && used.is_at_rest
                && Moment::now().since(used.last) < self.source.verify_after
        };
        if is_trusted {
            return Some(opened);
        }
        let Opened { value, used } = opened;
        let mut value = match Arc::try_unwrap(value) {
            Ok(value) => value,
            Err(value) => return Some(Opened { value, used }),
        };
        counters.add(Count::Checked);
        let begun = Instant::now();
        let end_of_check = end.min(limit::after(self.source.check_timeout));
        let check = timeout_at(end_of_check, check(&mut value, &self.source))
            .await
            .unwrap_or_else(|_| Err(Error::unsound("no answer in time")));
        let took = begun.elapsed();
        match check {
            Ok(()) => {
                tracing::debug!(target: "reuse_db", ?took, "checked");
                Some(Opened {
                    value: Arc::new(value),
                    used,
                })
            }
            Err(error) => {
                tracing::debug!(target: "reuse_db", ?took, %error, "stale");
                None
            }
        }
    }
}

impl<S: Connect + Sync> Opened<S> {
    fn lease(&self, source: &Source) -> SharedLease<S> {
        SharedLease {
            value: Arc::clone(&self.value),
            used: Arc::clone(&self.used),
            outcome: Outcome::Failure,
            rest_timeout: source.check_timeout,
        }
    }
}

impl<S: Connect + Sync> Keeper for Single<S> {
    fn drain(self: Arc<Self>) -> Vec<Work> {
        let opened = self.value.try_lock().ok().and_then(|mut slot| slot.take());
        // One that is in use is left to those who use it.
        let value = opened.and_then(|opened| Arc::into_inner(opened.value));
        value
            .into_iter()
            .map(|value| {
                let close = async move {
                    let begun = Instant::now();
                    value.close().await;
                    tracing::debug!(target: "reuse_db", took = ?begun.elapsed(), "closed");
                };
                Box::pin(close) as Work
            })
            .collect()
    }

    fn end(&self) {
        if let Ok(mut slot) = self.value.try_lock() {
            drop(slot.take());
        }
    }
}

#[cfg(test)]
mod tests;
