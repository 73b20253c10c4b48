//! Keeping the connections of a shared value only while the server has room for them.

use std::sync::{Arc, Weak};

use tokio::sync::Mutex as AsyncMutex;

use super::{Policy, Standing, Verdict, answer, least_idle, report_shed};
use crate::clock::Timestamp;
use crate::connect::Connect;
use crate::pool::shared_lease::Usage;
use crate::random;
use crate::source::{ServerLoad, Source};
use crate::sync::Mutex;
use crate::telemetry::{Counters, events};

/// The connections of a shared value, as far as it matters whether they are kept.
pub(in crate::pool) struct Shedding {
    policy: Arc<Mutex<Policy>>,
    opened: Timestamp,
    /// `true` until its connections are closed or kept, if the server was full at first.
    found_full: bool,
    /// The newly opened connections.
    new: usize,
    /// Locked by the work on the idle connections, which takes them out for a moment.
    turn: Arc<AsyncMutex<()>>,
}

impl Shedding {
    pub(in crate::pool) fn new(policy: Arc<Mutex<Policy>>, found_full: bool) -> Self {
        Self {
            policy,
            opened: Timestamp::now(),
            found_full,
            new: 0,
            turn: Arc::default(),
        }
    }

    /// Returns `true` if a release of the value may need work after the response.
    pub(in crate::pool) fn concerns<S: Connect>(&mut self, value: &S, source: &Source) -> bool {
        let Some(driver) = S::DRIVER else {
            return false;
        };
        let opened = (driver.take_opened)(value, source);
        if opened > 0 && self.new == 0 {
            self.opened = Timestamp::now();
        }
        self.new += opened;
        self.policy.lock().concerns(self.standing())
    }

    fn standing(&self) -> Standing {
        match self {
            Self {
                found_full: true, ..
            } => Standing::FoundFull,
            Self { new: 0, .. } => Standing::Kept,
            _ => Standing::New,
        }
    }

    fn decide(&mut self) -> Verdict {
        let standing = self.standing();
        let mut policy = self.policy.lock();
        policy.decide(standing, self.new, random::unit())
    }

    /// Returns the number of connections to close after an answer, of `idle` ones.
    fn answered(&mut self, answer: Result<Option<ServerLoad>, String>, idle: usize) -> usize {
        let standing = self.standing();
        let new = self.new.min(idle);
        self.new -= new;
        let age = Timestamp::now().since(self.opened);
        let mut policy = self.policy.lock();
        match answer {
            Ok(Some(load)) => {
                let closes = policy.answer(load, age, (new, idle - new), random::unit);
                closes.new + closes.kept
            }
            Ok(None) => {
                policy.rejected(standing);
                0
            }
            Err(reason) => {
                policy.silent();
                events::discarded(&reason);
                0
            }
        }
    }

    /// Returns the number of connections to close, of those that are new, or of all.
    fn take_new(&mut self) -> usize {
        if std::mem::take(&mut self.found_full) {
            usize::MAX
        } else {
            std::mem::take(&mut self.new)
        }
    }

    /// Leaves the connections that were in use to the next release, of those that were `taken`.
    fn leave(&mut self, taken: usize, closed: usize) {
        match taken {
            usize::MAX => self.found_full = true,
            _ => self.new += taken.saturating_sub(closed),
        }
    }
}

/// Inspects a shared value's idle connections if `inspects` is true, and closes those for which the
/// server has no room. A value without any is opened anew by the next invocation, with retries.
///
/// Holds no strong reference, which would make the value look used.
pub(in crate::pool) async fn tend<S: Connect>(
    value: Weak<S>,
    usage: Arc<Mutex<Usage>>,
    source: Source,
    inspects: bool,
    counters: &'static Counters,
) {
    let Some(driver) = S::DRIVER else {
        return;
    };
    let turn = Arc::clone(&usage.lock().shedding.turn);
    // Each step of those ahead has a limit.
    let _turn = turn.lock().await;
    let idle = |value: Arc<S>| (driver.idle_connections)(&value);
    let idle = || value.upgrade().map_or(0, idle);
    if idle() == 0 {
        // Those in use are left to their release.
        return;
    }
    let verdict = usage.lock().shedding.decide();
    let asks = verdict == Verdict::Ask;
    let work = |value: Arc<S>| {
        let least_idle = asks.then(least_idle);
        (driver.tend)(&value, &source, inspects, least_idle)
    };
    let Some(work) = value.upgrade().map(work) else {
        return;
    };
    let closes = match verdict {
        Verdict::Ask => {
            let answer = answer(source.check_timeout.saturating_mul(2), work, counters).await;
            usage.lock().shedding.answered(answer, idle())
        }
        Verdict::Keep | Verdict::Close => {
            if inspects {
                let _ = work.await;
            }
            let new = usage.lock().shedding.take_new();
            if verdict == Verdict::Close { new } else { 0 }
        }
    };
    let close = |value: Arc<S>| (driver.close_idle)(&value, &source, closes);
    let Some(closing) = value.upgrade().filter(|_| closes > 0).map(close) else {
        return;
    };
    let (closed, left) = closing.await;
    report_shed(closed, counters);
    let mut usage = usage.lock();
    if left == 0 {
        usage.is_discarded = true;
    } else if verdict == Verdict::Close {
        usage.shedding.leave(closes, closed);
    }
}
