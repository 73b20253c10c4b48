//! Nothing is lost, wherever a future is cut off and whatever each await does.
//!
//! A gate that is `Slow` opens after 20 ms, and the times at which futures are cut off lie between: so
//! each await is cut off in some run, before and after it.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use tokio::time::timeout;

use super::*;
use crate::Guard;

const CUTS: [u64; 7] = [0, 10, 30, 50, 510, 530, 6_000];
const ENDS: [u64; 4] = [0, 10, 30, 600];

/// Every combination of two gates.
fn pairs() -> impl Iterator<Item = (Gate, Gate)> {
    GATES
        .into_iter()
        .flat_map(|one| GATES.into_iter().map(move |two| (one, two)))
}

impl Bench {
    /// What holds after every step, with `held` in the hands of invocations.
    #[track_caller]
    fn assert_sound(&self, held: &[&Held<Fake>], what: &str) {
        let (idle, _, permits) = self.depot.counts();
        let taken = self.depot.source.max_connections - permits;
        assert!(held.len() <= taken, "a permit each: {what}");
        assert!(
            alive() <= idle + taken,
            "no connection without a permit: {what}"
        );
        assert!(alive() >= idle + held.len(), "none in two places: {what}");
        let mut numbers: Vec<usize> = held.iter().map(|held| held.connection.number).collect();
        numbers.extend(
            self.depot
                .state()
                .idle
                .iter()
                .map(|idle| idle.connection.number),
        );
        let different: BTreeSet<_> = numbers.iter().collect();
        assert_eq!(different.len(), numbers.len(), "none doubled: {what}");
    }

    /// Runs what is to be done, and looks every few milliseconds.
    async fn watched(&self, work: impl Future<Output = ()>, what: &str) {
        let mut work = Box::pin(work);
        while timeout(Duration::from_millis(7), &mut work).await.is_err() {
            self.assert_sound(&[], what);
        }
        self.assert_sound(&[], what);
    }

    /// What holds when all has been done.
    #[track_caller]
    fn assert_all_back(self, idle_at_last: RangeInclusive<usize>, what: &str) {
        let (idle, owed, permits) = self.depot.counts();
        let all = self.depot.source.max_connections;
        assert_eq!(
            (owed, permits, alive()),
            (0, all, idle),
            "owed, permits, alive: {what}"
        );
        assert!(idle_at_last.contains(&idle), "{idle} are idle: {what}");
        drop(self);
        assert_eq!(alive(), 0, "{what}");
    }
}

/// Where the connection is when it is leased.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Before {
    Trusted,
    Doubtful,
    /// An invocation has failed, and it is being checked.
    Owed,
}

/// Two invocations lease at once, and one of them is cut off.
#[tokio::test(start_paused = true)]
async fn nothing_is_lost_wherever_a_lease_is_cut_off() {
    for (connect, check) in pairs() {
        for close in GATES {
            for before in [Before::Trusted, Before::Doubtful, Before::Owed] {
                for most in [1, 2] {
                    for cut_after in CUTS.map(Duration::from_millis) {
                        let what = format!(
                            "{connect:?} {check:?} {close:?} {before:?} {most} {cut_after:?}"
                        );
                        set(|world| *world = World::SOUND);
                        let bench = Bench::new(SOURCE.max_connections(most));
                        let held = bench.leased().await;
                        set(|world| {
                            (world.connect, world.check, world.close) = (connect, check, close);
                        });
                        held.settle(if before == Before::Owed {
                            Outcome::Failure
                        } else {
                            Outcome::Success
                        });
                        if before == Before::Doubtful {
                            turn::wall(Duration::from_secs(60));
                        }
                        let mut one = Box::pin(bench.lease());
                        let two = timeout(cut_after, bench.lease());
                        let (first, two) = tokio::join!(timeout(cut_after, &mut one), two);
                        let two = two.ok().and_then(Result::ok);
                        bench.assert_sound(&two.iter().collect::<Vec<_>>(), &what);
                        if let Some(two) = two {
                            two.settle(Outcome::Success);
                        }
                        // The other one goes on.
                        let finished = match first {
                            Ok(result) => result,
                            Err(_) => (&mut one).await,
                        };
                        drop(one);
                        if let Ok(held) = finished {
                            bench.assert_sound(&[&held], &what);
                            held.settle(Outcome::Success);
                        }
                        settled().await;
                        let is_sound = [connect, check, close] == [Gate::Ok; 3];
                        bench.assert_all_back(usize::from(is_sound)..=1, &what);
                    }
                }
            }
        }
    }
}

/// Two that were leased are settled, or dropped, and the freeze comes before all is done.
#[tokio::test(start_paused = true)]
async fn nothing_is_lost_however_it_is_settled_and_ended() {
    let outcomes = [
        Some(Outcome::Success),
        Some(Outcome::Refusal),
        Some(Outcome::Failure),
        None,
    ];
    for (check, rest) in pairs() {
        for close in GATES {
            for (one, two) in outcomes
                .iter()
                .flat_map(|one| outcomes.iter().map(move |two| (one, two)))
            {
                for end_after in ENDS.map(Duration::from_millis) {
                    let what =
                        format!("{check:?} {rest:?} {close:?} {one:?} {two:?} {end_after:?}");
                    set(|world| {
                        *world = World {
                            check,
                            rest,
                            close,
                            unfinished: true,
                            ..World::SOUND
                        }
                    });
                    let bench = Bench::new(SOURCE);
                    let both = (bench.leased().await, bench.leased().await);
                    bench.assert_sound(&[&both.0, &both.1], &what);
                    for (held, outcome) in [(both.0, one), (both.1, two)] {
                        match outcome {
                            Some(outcome) => held.settle(*outcome),
                            None => drop(held),
                        }
                        bench.assert_sound(&[], &what);
                    }
                    let end = Instant::now() + end_after;
                    bench
                        .watched(owed::done(owed::Debtor::Anybody, end), &what)
                        .await;
                    settled().await;
                    let is_sound = [check, rest, close] == [Gate::Ok; 3] && !end_after.is_zero();
                    let least = usize::from(is_sound && (one.is_some() || two.is_some()));
                    bench.assert_all_back(least..=1, &what);
                }
            }
        }
    }
}

/// One that is settled asks how full the server is, and makes room.
#[tokio::test(start_paused = true)]
async fn nothing_is_lost_while_room_is_made() {
    let guard = Guard::new().every(Duration::ZERO).reap(Duration::ZERO);
    let source = SOURCE.keep(2).guard(guard);
    for (load, reap) in pairs() {
        for (rest, close) in pairs() {
            for end_after in ENDS.map(Duration::from_millis) {
                let what = format!("{load:?} {reap:?} {rest:?} {close:?} {end_after:?}");
                set(|world| *world = World::SOUND);
                let bench = Bench::new(source);
                let (one, two) = (bench.leased().await, bench.leased().await);
                // The first time tells nobody to ask.
                one.settle(Outcome::Success);
                set(|world| {
                    *world = World {
                        load,
                        reap,
                        rest,
                        close,
                        unfinished: true,
                        ..World::SOUND
                    }
                });
                two.settle(Outcome::Success);
                bench.assert_sound(&[], &what);
                let end = Instant::now() + end_after;
                bench
                    .watched(owed::done(owed::Debtor::Anybody, end), &what)
                    .await;
                settled().await;
                let gates = [load, reap, rest, close];
                if gates == [Gate::Ok; 4] && !end_after.is_zero() {
                    assert_eq!(
                        (alive(), bench.counters.read().closed),
                        (0, 2),
                        "room: {what}"
                    );
                }
                bench.assert_all_back(0..=2, &what);
            }
        }
    }
}

/// The freeze may come right after.
#[tokio::test(start_paused = true)]
async fn what_is_not_done_in_time_is_dropped_at_once() {
    let bench = Bench::new(SOURCE);
    set(|world| world.check = Gate::Never);
    bench.leased().await.settle(Outcome::Failure);
    owed::done(
        owed::Debtor::Anybody,
        Instant::now() + Duration::from_millis(10),
    )
    .await;
    bench.assert_at_rest(0);
}
