//! Keeping the connections of a shared value only while the server has room for them.

use std::sync::{Arc, Weak};

use super::{Policy, Standing, ToClose, Verdict, answer, least_idle, report_shed};
use crate::clock::Timestamp;
use crate::connect::{Connect, Driver};
use crate::pool::shared_value::Usage;
use crate::random;
use crate::source::Source;
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
}

impl Shedding {
    pub(in crate::pool) fn new(policy: Arc<Mutex<Policy>>, found_full: bool) -> Self {
        Self {
            policy,
            opened: Timestamp::now(),
            found_full,
            new: 0,
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
        self.policy.lock().decide(standing, random::unit())
    }

    /// Returns the number of connections to close, of those that are new, or of all.
    fn take_new(&mut self) -> usize {
        if std::mem::take(&mut self.found_full) {
            usize::MAX
        } else {
            std::mem::take(&mut self.new)
        }
    }
}

/// Closes idle connections of a shared value if the server has no room for them. A value without
/// any is opened anew by the next invocation, with retries.
///
/// Holds no strong reference, which would make the value look used.
pub(in crate::pool) async fn shed_load<S: Connect>(
    value: Weak<S>,
    usage: Arc<Mutex<Usage>>,
    source: Source,
    counters: &'static Counters,
) {
    let Some(driver) = S::DRIVER else {
        return;
    };
    let verdict = usage.lock().shedding.decide();
    let closes = match verdict {
        Verdict::Keep => {
            usage.lock().shedding.take_new();
            0
        }
        Verdict::Close => usage.lock().shedding.take_new(),
        Verdict::Ask => {
            let closes = ask(&driver, &value, &usage, &source, counters).await;
            closes.new + closes.kept
        }
    };
    let Some(closing) = value
        .upgrade()
        .filter(|_| closes > 0)
        .map(|value| (driver.close_idle)(&value, &source, closes))
    else {
        return;
    };
    let (closed, left) = closing.await;
    report_shed(closed, counters);
    if left == 0 {
        usage.lock().is_discarded = true;
    }
}

/// Asks for the server's load. Returns the connections to close.
async fn ask<S: Connect>(
    driver: &Driver<S>,
    value: &Weak<S>,
    usage: &Mutex<Usage>,
    source: &Source,
    counters: &Counters,
) -> ToClose {
    let question = value
        .upgrade()
        .map(|value| (driver.shared_load)(&value, source, least_idle()));
    let Some(question) = question else {
        return ToClose::NONE;
    };
    let answer = answer(source.check_timeout, question, counters).await;
    let idle = value
        .upgrade()
        .map_or(0, |value| (driver.idle_connections)(&value));
    let mut usage = usage.lock();
    let shedding = &mut usage.shedding;
    let new = shedding.take_new().min(idle);
    let age = Timestamp::now().since(shedding.opened);
    let mut policy = shedding.policy.lock();
    match answer {
        Ok(Some(load)) => policy.answer(load, age, (new, idle - new), random::unit),
        Ok(None) => {
            policy.rejected();
            ToClose::NONE
        }
        Err(reason) => {
            policy.silent();
            events::discarded(&reason);
            ToClose::NONE
        }
    }
}
