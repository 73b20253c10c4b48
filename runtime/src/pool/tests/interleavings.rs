//! No connection and no permit is lost, at whichever await a future is dropped.
//!
//! A `Slow` gate opens after 20 ms, and the times of the drops lie in between. So each await is
//! dropped in some run, before and after it.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use tokio::time::timeout;

use super::*;

const CUTS: [u64; 7] = [0, 10, 30, 50, 510, 530, 6_000];
const ENDS: [u64; 4] = [0, 10, 30, 600];

/// Returns every combination of two gates.
fn pairs() -> impl Iterator<Item = (Gate, Gate)> {
    GATES
        .into_iter()
        .flat_map(|one| GATES.into_iter().map(move |two| (one, two)))
}

impl Bench {
    /// Asserts what holds after every step, while invocations have `leased`.
    #[track_caller]
    fn assert_sound(&self, leased: &[&CheckedOut<Fake>], what: &str) {
        let (idle, _, permits) = self.pool.counts();
        let taken = self.pool.source.connection_limit() - permits;
        assert!(leased.len() <= taken, "a permit each: {what}");
        assert!(
            alive() <= idle + taken,
            "no connection without a permit: {what}"
        );
        assert!(alive() >= idle + leased.len(), "none in two places: {what}");
        let mut numbers: Vec<usize> = leased
            .iter()
            .map(|leased| leased.connection.number)
            .collect();
        numbers.extend(
            self.pool
                .state()
                .idle
                .iter()
                .map(|idle| idle.connection.number),
        );
        let different: BTreeSet<_> = numbers.iter().collect();
        assert_eq!(different.len(), numbers.len(), "none doubled: {what}");
    }

    /// Runs `work`, and asserts every few milliseconds.
    async fn watched(&self, work: impl Future<Output = ()>, what: &str) {
        let mut work = Box::pin(work);
        while timeout(Duration::from_millis(7), &mut work).await.is_err() {
            self.assert_sound(&[], what);
        }
        self.assert_sound(&[], what);
    }

    /// Asserts what holds when all work is done.
    #[track_caller]
    fn assert_all_back(self, idle_at_last: RangeInclusive<usize>, what: &str) {
        let (idle, returning, permits) = self.pool.counts();
        let all = self.pool.source.connection_limit();
        assert_eq!(
            (returning, permits, alive()),
            (0, all, idle),
            "returning, permits, alive: {what}"
        );
        assert!(idle_at_last.contains(&idle), "{idle} are idle: {what}");
        drop(self);
        assert_eq!(alive(), 0, "{what}");
    }
}

/// The state of the connection when it is leased.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Before {
    Trusted,
    Doubtful,
    /// Its invocation has failed, and it is being checked.
    Returning,
}

/// Two invocations lease at once, and one of them is dropped.
#[tokio::test(start_paused = true)]
async fn nothing_is_lost_when_a_lease_is_dropped_at_any_await() {
    for (connect, check) in pairs() {
        for close in GATES {
            for before in [Before::Trusted, Before::Doubtful, Before::Returning] {
                for most in [1, 2] {
                    for cut_after in CUTS.map(Duration::from_millis) {
                        let what = format!(
                            "{connect:?} {check:?} {close:?} {before:?} {most} {cut_after:?}"
                        );
                        set(|fake| *fake = FakeBehavior::SOUND);
                        let bench = Bench::new(SOURCE.max_connections(most));
                        let leased = bench.leased().await;
                        set(|fake| {
                            (fake.connect, fake.check, fake.close) = (connect, check, close);
                        });
                        leased.release(if before == Before::Returning {
                            Outcome::Failure
                        } else {
                            Outcome::Success
                        });
                        if before == Before::Doubtful {
                            mock::advance_wall(Duration::from_secs(60));
                        }
                        let mut one = Box::pin(bench.lease());
                        let two = timeout(cut_after, bench.lease());
                        let (first, two) = tokio::join!(timeout(cut_after, &mut one), two);
                        let two = two.ok().and_then(Result::ok);
                        bench.assert_sound(&two.iter().collect::<Vec<_>>(), &what);
                        if let Some(two) = two {
                            two.release(Outcome::Success);
                        }
                        // The other one goes on.
                        let finished = match first {
                            Ok(result) => result,
                            Err(_) => (&mut one).await,
                        };
                        drop(one);
                        if let Ok(leased) = finished {
                            bench.assert_sound(&[&leased], &what);
                            leased.release(Outcome::Success);
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

/// Two connections are released or dropped, and the freeze comes before all work is done.
#[tokio::test(start_paused = true)]
async fn nothing_is_lost_when_background_work_is_aborted() {
    let outcomes = [
        Some(Outcome::Success),
        Some(Outcome::ClientError),
        Some(Outcome::Failure),
        Some(Outcome::Stale),
        None,
    ];
    for (check, quiesce) in pairs() {
        for close in GATES {
            for (one, two) in outcomes
                .iter()
                .flat_map(|one| outcomes.iter().map(move |two| (one, two)))
            {
                for end_after in ENDS.map(Duration::from_millis) {
                    let what =
                        format!("{check:?} {quiesce:?} {close:?} {one:?} {two:?} {end_after:?}");
                    set(|fake| {
                        *fake = FakeBehavior {
                            check,
                            quiesce,
                            clear: quiesce,
                            close,
                            needs_quiesce: true,
                            ..FakeBehavior::SOUND
                        }
                    });
                    let bench = Bench::new(SOURCE);
                    let both = (bench.leased().await, bench.leased().await);
                    bench.assert_sound(&[&both.0, &both.1], &what);
                    for (leased, outcome) in [(both.0, one), (both.1, two)] {
                        match outcome {
                            Some(outcome) => leased.release(*outcome),
                            None => drop(leased),
                        }
                        bench.assert_sound(&[], &what);
                    }
                    let end = Instant::now() + end_after;
                    bench
                        .watched(background::wait(Owner::Any, end), &what)
                        .await;
                    settled().await;
                    let is_sound = [check, quiesce, close] == [Gate::Ok; 3] && !end_after.is_zero();
                    let least = usize::from(is_sound && (one.is_some() || two.is_some()));
                    bench.assert_all_back(least..=1, &what);
                }
            }
        }
    }
}

/// A released connection asks a full server for its load, and both are closed.
#[tokio::test(start_paused = true)]
async fn nothing_is_lost_by_load_shedding() {
    let source = SOURCE.keep(2);
    for load in GATES {
        for (quiesce, close) in pairs() {
            for end_after in ENDS.map(Duration::from_millis) {
                let what = format!("{load:?} {quiesce:?} {close:?} {end_after:?}");
                set(|fake| *fake = FakeBehavior::SOUND);
                let bench = Bench::new(source);
                let (one, two) = (bench.leased().await, bench.leased().await);
                set(|fake| {
                    *fake = FakeBehavior {
                        load,
                        quiesce,
                        close,
                        needs_quiesce: true,
                        connections: 10,
                        ..FakeBehavior::SOUND
                    }
                });
                one.release(Outcome::Success);
                two.release(Outcome::Success);
                bench.assert_sound(&[], &what);
                let end = Instant::now() + end_after;
                bench
                    .watched(background::wait(Owner::Any, end), &what)
                    .await;
                settled().await;
                let gates = [load, quiesce, close];
                if gates == [Gate::Ok; 3] && !end_after.is_zero() {
                    assert_eq!(
                        (alive(), bench.counters.read().closed),
                        (0, 2),
                        "closed: {what}"
                    );
                }
                bench.assert_all_back(0..=2, &what);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn work_that_is_not_done_in_time_is_dropped_at_once() {
    let bench = Bench::new(SOURCE);
    set(|fake| fake.check = Gate::Never);
    bench.leased().await.release(Outcome::Failure);
    background::wait(Owner::Any, Instant::now() + Duration::from_millis(10)).await;
    bench.assert_quiet(0);
}
