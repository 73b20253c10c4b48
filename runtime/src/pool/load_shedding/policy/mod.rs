//! The decision whether a connection is kept, from what the server has answered.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::invocation::deadline::MAX_WAIT;
use crate::source::{LoadShedding, ServerLoad};

/// The load queries a second that all kept connections of a large server send together, and all
/// newly opened ones of sandboxes that have asked before.
const QUERIES_PER_SECOND: f64 = 3.0;

/// The load queries a second that are added on a server of at most [`SMALL`] connections. Such a
/// server fills up faster.
const MORE_IF_SMALL: f64 = 5.0;

const SMALL: f64 = 30.0;

/// The longest pause, in seconds, that is due to free connections alone.
const LONGEST_IF_FREE: f64 = 110.0;

/// The largest probability of a load query while the last answer was a full server.
const ASK_AGAIN: f64 = 0.25;

/// The largest probability of a load query at the first new connection after a full server. It
/// doubles with each new connection that did not find the server full.
const ASK_AFTER_FULL: f64 = 0.02;

/// The part of the server's room that a sandbox takes without asking again. Others do so, too.
const PART_OF_ROOM: u64 = 8;

/// The time for which a fleet is expected to grow on, in seconds.
const GROWTH: f64 = 10.0;

/// The longest pause before the first attempt to connect of a sandbox that met a full server a
/// moment ago.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The length of that moment.
const MOMENT: Duration = Duration::from_secs(1);

/// The time without load queries after the server has rejected one.
const PAUSE_AFTER_REJECTION: Duration = Duration::from_secs(60 * 60);

/// The time without load queries after the server has not answered one.
const PAUSE_AFTER_SILENCE: Duration = Duration::from_secs(60);

/// The standing of an open connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum Standing {
    /// Kept at least once.
    Kept,
    /// Newly opened.
    New,
    /// Newly opened, after the server had rejected an attempt because it was full.
    FoundFull,
}

impl Standing {
    pub(in crate::pool) fn of_new(found_full: bool) -> Self {
        if found_full {
            Self::FoundFull
        } else {
            Self::New
        }
    }
}

/// The treatment of connections after a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum Verdict {
    Keep,
    Ask,
    Close,
}

/// The policy of one pool.
#[derive(Debug)]
pub(in crate::pool) struct Policy {
    settings: LoadShedding,
    last: Option<Known>,
}

/// The last answer of the server, as far as it matters.
#[derive(Debug)]
struct Known {
    at: Timestamp,
    /// `true` if the server had no room for a new connection.
    is_full: bool,
    /// The connections that may be kept without asking again.
    room: u64,
    /// The time from the answer until a kept connection asks.
    pause: Duration,
    /// The probability with which a newly opened connection asks.
    ask: f64,
    /// The probability that `ask` returns to after a full server.
    usual_ask: f64,
    /// The last time at which all connections were taken.
    none_left: Option<Timestamp>,
    /// `false` if the server has rejected the last load query, or has not answered it.
    is_answer: bool,
}

/// The connections to close after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) struct ToClose {
    pub(in crate::pool) new: usize,
    pub(in crate::pool) kept: usize,
}

impl ToClose {
    pub(in crate::pool) const NONE: Self = Self { new: 0, kept: 0 };
}

impl Policy {
    pub(in crate::pool) const fn new(settings: LoadShedding) -> Self {
        Self {
            settings,
            last: None,
        }
    }

    /// Returns `true` if a release of such a connection may need work after the response.
    pub(in crate::pool) fn concerns(&self, standing: Standing) -> bool {
        match standing {
            Standing::FoundFull => true,
            Standing::New => !self.settings.is_off(),
            Standing::Kept => !self.settings.is_off() && self.is_due(),
        }
    }

    /// Decides on idle connections of one standing. `random` is from 0 to 1.
    pub(in crate::pool) fn decide(
        &mut self,
        standing: Standing,
        connections: usize,
        random: f64,
    ) -> Verdict {
        if standing == Standing::FoundFull {
            self.found_full();
            return Verdict::Close;
        }
        if self.settings.is_off() {
            return Verdict::Keep;
        }
        let is_due = self.is_due();
        let Some(known) = &mut self.last else {
            return Verdict::Ask;
        };
        let connections = connections as u64;
        match standing {
            Standing::Kept if is_due => {
                // Others that are released until the answer need not ask.
                known.at = Timestamp::now();
                Verdict::Ask
            }
            Standing::Kept => Verdict::Keep,
            _ if random < known.ask => Verdict::Ask,
            _ if known.is_full => {
                known.ask = (2.0 * known.ask).min(known.usual_ask);
                Verdict::Close
            }
            _ if is_due || connections > known.room => Verdict::Ask,
            _ => {
                known.room -= connections;
                Verdict::Keep
            }
        }
    }

    /// Returns the connections to close after an answer to a connection of the given age.
    ///
    /// The sandbox closes no more connections than are above the threshold, new ones first. Of
    /// kept ones it closes each with a probability that grows from 0 at the threshold to 1 at the
    /// limit, because other sandboxes close theirs, too.
    pub(in crate::pool) fn answer(
        &mut self,
        load: ServerLoad,
        age: Duration,
        (new, kept): (usize, usize),
        mut random: impl FnMut() -> f64,
    ) -> ToClose {
        let excess = usize::try_from(load.excess(self.settings)).unwrap_or(usize::MAX);
        let is_full = excess > 0;
        let queries = QUERIES_PER_SECOND + MORE_IF_SMALL * (SMALL / load.limit as f64).min(1.0);
        let per_second = |connections| connections as f64 / age.as_secs_f64().max(0.001);
        let ask = match load.newer {
            0 => 1.0,
            // The connection itself counts, because it is young.
            newer => queries / per_second(newer + 1),
        };
        let ask = if is_full { ask.min(ASK_AGAIN) } else { ask };
        let interval = self.settings.interval.min(MAX_WAIT).as_secs_f64();
        let pause = interval * (0.25 + 0.75 * load.room(self.settings));
        let expected = load.connections as f64 + GROWTH * per_second(load.newer);
        let of_all = expected.min(load.limit as f64) / queries;
        let if_free = of_all * (1.0 + 1.5 * load.free(self.settings) as f64);
        let pause = pause.max(if_free.min(LONGEST_IF_FREE)).max(of_all);
        let pause = Duration::try_from_secs_f64(pause * (0.5 + random()));
        self.last = Some(Known {
            at: Timestamp::now(),
            is_full,
            room: load.free(self.settings) / PART_OF_ROOM,
            pause: pause.unwrap_or(MAX_WAIT),
            ask,
            usual_ask: ask,
            none_left: (load.connections >= load.limit).then(Timestamp::now),
            is_answer: true,
        });
        let new = new.min(excess);
        let shortage = load.shortage(self.settings);
        let kept = (0..kept).filter(|_| random() < shortage).count();
        ToClose {
            new,
            kept: kept.min(excess - new),
        }
    }

    /// Records that the server rejects the load query, or does not report its load.
    ///
    /// A handler may have changed the session of a kept connection, so a new one asks once more.
    pub(in crate::pool) fn rejected(&mut self, standing: Standing) {
        let ask = if standing == Standing::Kept { 1.0 } else { 0.0 };
        self.pause(PAUSE_AFTER_REJECTION, ask);
    }

    /// Records that the server has not answered in time. A server that was full is still taken for
    /// full, because a full server is slow.
    pub(in crate::pool) fn silent(&mut self) {
        match &mut self.last {
            Some(known) if known.is_full => known.ask = known.ask.min(ASK_AFTER_FULL),
            _ => self.pause(PAUSE_AFTER_SILENCE, 0.0),
        }
    }

    fn pause(&mut self, pause: Duration, ask: f64) {
        self.last = Some(Known {
            at: Timestamp::now(),
            is_full: false,
            room: u64::MAX,
            pause,
            ask,
            usual_ask: ask,
            none_left: None,
            is_answer: false,
        });
    }

    /// Records that the server was full a moment ago. That decides on later connections only if the
    /// server can be asked again.
    fn found_full(&mut self) {
        let known = self.last.get_or_insert(Known {
            at: Timestamp::now(),
            is_full: false,
            room: u64::MAX,
            pause: self.settings.interval,
            ask: ASK_AGAIN,
            usual_ask: ASK_AGAIN,
            none_left: None,
            is_answer: true,
        });
        known.none_left = Some(Timestamp::now());
        if self.settings.is_off() || !known.is_answer {
            return;
        }
        known.is_full = true;
        known.usual_ask = known.usual_ask.min(ASK_AGAIN);
        known.ask = known.ask.min(ASK_AFTER_FULL);
    }

    /// Returns `true` if the server had no room at the last answer.
    pub(in crate::pool) fn is_full(&self) -> bool {
        self.last.as_ref().is_some_and(|known| known.is_full)
    }

    /// Returns the longest pause before the first attempt to open a connection.
    ///
    /// Sandboxes that wait for a slot try again after pauses of many milliseconds. A sandbox that
    /// has just closed its connection at a full server, and is invoked at once, would always take
    /// its old slot again.
    pub(in crate::pool) fn first_pause(&self) -> Duration {
        let none_left = self.last.as_ref().and_then(|known| known.none_left);
        if none_left.is_some_and(|then| Timestamp::now().since(then) < MOMENT) {
            FIRST_PAUSE
        } else {
            Duration::ZERO
        }
    }

    /// Returns `true` if a kept connection must ask.
    ///
    /// By either clock: one of them may stand still while the sandbox is frozen.
    fn is_due(&self) -> bool {
        self.last
            .as_ref()
            .is_none_or(|known| Timestamp::now().since(known.at) >= known.pause)
    }
}

#[cfg(test)]
mod tests;
