//! Letting go of connections while the server is nearly full.

use std::time::Duration;

use crate::Source;
use crate::clock::Moment;
use crate::limit::FAR;

/// What lets a sandbox make room while the server is nearly full: off unless a
/// [`Source`] has one ([`Source::guard`]).
///
/// ```
/// use reuse_db::{Guard, Source};
/// use std::time::Duration;
///
/// const SOURCE: Source = Source::env("DATABASE_URL")
///     .guard(Guard::new().share(70).reap(Duration::from_secs(60)));
/// ```
///
/// After a response, and before the freeze, a connection that is kept asks the server how many
/// connections it has and may have. Above the share it is closed, and so are the others that this sandbox
/// keeps; the next invocation opens a new one. It asks at most once in [`every`](Self::every), and the
/// more sandboxes of the function there are, the less often: all of them together ask about once in that
/// time. A new sandbox does not know of the others, and asks first as one of a hundred, at random within 1,000 s
/// (200 times [`every`](Self::every)). No response waits for it; what is leased meanwhile, where a sandbox serves
/// several invocations at once, waits for the answer as for that of a check. The question is one more round
/// trip after some responses, and counts in the time that is billed.
///
/// | | the count | its limit | rights |
/// |---|---|---|---|
/// | PostgreSQL | client sessions in `pg_stat_activity` | `max_connections` less the reserved ones | none |
/// | MySQL, MariaDB | `Threads_connected`; and the user's own in `information_schema.processlist` | `max_connections`; `max_user_connections` | none |
/// | [`reap`](Self::reap) on PostgreSQL | | | none: it ends sessions of its own user |
/// | [`reap`](Self::reap) on MySQL, MariaDB | | | `PROCESS`, to see who is in a transaction |
///
/// A server's other limits (of a role, a database) are not looked at. It is for `PgConnection`,
/// `MySqlConnection` and transactions on them, not for pools nor `AnyConnection`. A proxy multiplexes by itself: there it has no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    pub(crate) share: u8,
    pub(crate) every: Duration,
    pub(crate) reap: Option<Duration>,
}

/// What a session that is reaped has been idle for at least: far above the time that a handler thinks
/// between two statements.
const LEAST_IDLE: Duration = Duration::from_secs(10);

/// How many sandboxes there may be, as long as nobody has told: a thousand new ones are not to ask at once.
const UNTOLD: u64 = 100;

/// No server has a session that is older, or takes a longer time.
const YEAR: Duration = Duration::from_secs(31_536_000);

impl Guard {
    /// One that makes room above 80 % of the server's limit, asks at most once in 5 s, and ends no
    /// other sandbox's sessions.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            share: 80,
            every: Duration::from_secs(5),
            reap: None,
        }
    }

    /// Above which part of the server's limit room is made, in percent; 100 and more never. Default: 80.
    #[must_use]
    pub const fn share(mut self, percent: u8) -> Self {
        self.share = percent;
        self
    }

    /// How often this sandbox asks at most. Default: 5 s.
    #[must_use]
    pub const fn every(mut self, pause: Duration) -> Self {
        self.every = pause;
        self
    }

    /// Also ends sessions of other sandboxes that have been idle for this long, at least 10 s and 1 s more
    /// than [`verify_after`](Source::verify_after), and are in no transaction: those of the same function,
    /// user and database, the oldest first, no more than bring the server below the share when those of this
    /// sandbox are closed as well, and by one sandbox at a time (an advisory lock). A sandbox whose session was
    /// ended opens a new one in its next invocation, which does not fail for it. But a server cannot tell a frozen
    /// sandbox from a handler that does something else meanwhile: one that is silent for this long between two
    /// statements loses its session, unless it is in a transaction (on MySQL and MariaDB one in which a table was
    /// used: before that there is none). So choose it longer than the function may run, and than the
    /// `verify_after` of the function's other sources: a connection that one of them trusts unasked would fail
    /// the statement that meets its end.
    ///
    /// PostgreSQL's `application_name` tells whose a session is: off Lambda, or where it is another,
    /// none is ended. On MySQL and MariaDB, where sqlx has no such name, each session holds a
    /// lock by the function's name for it (`get_lock`, in the round trip that sets it up, which a Galera
    /// cluster may refuse); who it is and what it does is looked at again before each is ended.
    /// Default: none are ended.
    #[must_use]
    pub const fn reap(mut self, idle: Duration) -> Self {
        self.reap = Some(if idle.as_nanos() < LEAST_IDLE.as_nanos() {
            LEAST_IDLE
        } else {
            idle
        });
        self
    }

    /// The same for a source's connections: none that is trusted without a check is ended.
    pub(crate) fn of(mut self, source: &Source) -> Self {
        let trusted = source.verify_after.saturating_add(Duration::from_secs(1));
        self.reap = self.reap.map(|idle| idle.max(trusted).min(YEAR));
        self
    }
}

impl Default for Guard {
    fn default() -> Self {
        Self::new()
    }
}

impl Source {
    /// Makes room while the server is nearly full. Default: nothing is asked.
    #[must_use]
    pub const fn guard(mut self, guard: Guard) -> Self {
        self.guard = Some(guard);
        self
    }
}

/// How full a server is.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Connections that it has.
    pub used: u64,
    /// Connections that it may have.
    pub most: u64,
    /// Those of this function's sandboxes.
    pub ours: u64,
}

impl Load {
    /// How many connections are above the guard's share.
    pub(crate) fn excess(self, guard: Guard) -> u64 {
        if guard.share >= 100 {
            return 0;
        }
        let wanted = self.most.saturating_mul(guard.share.into()) / 100;
        self.used.saturating_sub(wanted)
    }
}

/// When a sandbox asks next: by either clock, since one may stand still while it is frozen.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    last: Option<Moment>,
    pause: Duration,
}

impl Watch {
    /// Whether to ask now.
    pub(crate) fn is_due(&mut self, guard: Guard) -> bool {
        let is_due = self
            .last
            .is_some_and(|last| Moment::now().since(last) >= self.pause);
        if is_due || self.last.is_none() {
            self.told(guard, UNTOLD);
        }
        is_due
    }

    /// There are `sandboxes` that ask: together once in `every`.
    pub(crate) fn told(&mut self, guard: Guard, sandboxes: u64) {
        let random = getrandom::u32().unwrap_or(u32::MAX / 2);
        let others = u32::try_from(sandboxes.saturating_sub(1)).unwrap_or(u32::MAX);
        let spread = f64::from(others) * 2.0 * f64::from(random) / f64::from(u32::MAX);
        let pause = guard.every.min(FAR).as_secs_f64() * (1.0 + spread);
        self.last = Some(Moment::now());
        self.pause = Duration::try_from_secs_f64(pause).unwrap_or(FAR).min(FAR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::turn;

    #[test]
    fn no_more_than_brings_it_below_the_share() {
        let load = |used| Load {
            used,
            most: 17,
            ours: 1,
        };
        let guard = Guard::new();
        // 80 % of 17 is 13.6.
        assert_eq!([13, 14, 17].map(|used| load(used).excess(guard)), [0, 1, 4]);
        assert_eq!(load(17).excess(guard.share(100)), 0);
        assert_eq!(load(17).excess(guard.share(0)), 17);
    }

    /// Of what the peers do wrong (see the tests' `peers`).
    #[test]
    fn row_05_nobody_is_reaped_while_a_handler_thinks() {
        let reap = |secs| Guard::new().reap(Duration::from_secs(secs)).reap;
        assert_eq!(
            [0, 9, 60].map(reap),
            [10, 10, 60].map(|secs| Some(Duration::from_secs(secs)))
        );
    }

    #[test]
    fn row_05_nobody_is_reaped_who_is_trusted() {
        let secs = Duration::from_secs;
        let source = Source::env("X").verify_after(secs(30));
        assert_eq!(Guard::new().reap(secs(20)).of(&source).reap, Some(secs(31)));
        assert_eq!(Guard::new().reap(secs(60)).of(&source).reap, Some(secs(60)));
        let endless = source.verify_after(Duration::MAX);
        assert_eq!(Guard::new().reap(secs(60)).of(&endless).reap, Some(YEAR));
        assert_eq!(Guard::new().of(&source), Guard::new());
    }

    /// A thousand sandboxes ask about once in `every`, and none more than once.
    #[test]
    fn a_fleet_asks_as_often_as_one() {
        let guard = Guard::new();
        let mut fleet: Vec<Watch> = (0..1_000).map(|_| Watch::default()).collect();
        let mut ask = |minutes: u64| {
            let mut asked = 0;
            for _ in 0..minutes * 60 {
                turn::wall(Duration::from_secs(1));
                for watch in &mut fleet {
                    if watch.is_due(guard) {
                        asked += 1;
                        watch.told(guard, 1_000);
                    }
                }
            }
            asked
        };
        // Each asks the first time without knowing of the others, within 1,000 s: about one in a second.
        let first = ask(17);
        assert!((900..1_500).contains(&first), "{first}");
        // And then all of them together once in 5 s.
        let then = ask(20);
        assert!((60..480).contains(&then), "{then}");
    }

    /// By whichever clock runs on.
    #[test]
    fn what_is_frozen_for_most_of_its_life_asks_too() {
        for turn in [turn::wall, turn::monotonic] {
            let mut watch = Watch::default();
            assert!(
                !watch.is_due(Guard::new()),
                "the first response tells nothing"
            );
            turn(Duration::from_secs(1_001));
            assert!(watch.is_due(Guard::new()));
        }
    }
}
