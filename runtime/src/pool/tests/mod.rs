//! The depot's promises, with a fake connection that does at each await what the test says.

mod interleavings;
mod keep;
mod lifetime;
mod opening;

use std::task::{Context, Waker};

use super::*;
use crate::clock::turn;
use crate::fake::{Fake, GATES, Gate, SOURCE, World, alive, set};
use crate::invocation::{INVOCATION, Invocation};
use crate::{Outcome, owed};

struct Bench {
    depot: Arc<Depot<Fake>>,
    counters: &'static Counters,
}

impl Bench {
    fn new(source: Source) -> Self {
        Self {
            depot: Arc::new(Depot::new(source)),
            counters: Box::leak(Box::new(Counters::new())),
        }
    }

    async fn lease(&self) -> Result<Held<Fake>, Error> {
        Arc::clone(&self.depot).lease(self.counters).await
    }

    async fn leased(&self) -> Held<Fake> {
        self.lease().await.expect("a connection")
    }

    /// All permits are back, nothing is owed, and only idle connections are alive: `idle` of them.
    #[track_caller]
    fn assert_at_rest(&self, idle: usize) {
        assert_eq!(
            self.depot.counts(),
            (idle, 0, SOURCE.max_connections),
            "idle, owed, permits"
        );
        assert_eq!(alive(), idle, "alive");
    }
}

/// Lets everything run that was spawned, whatever time it takes.
async fn settled() {
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn the_same_connection_again_without_a_check() {
    let bench = Bench::new(SOURCE);
    for _ in 0..3 {
        let held = bench.leased().await;
        assert_eq!(held.connection.number, 1);
        held.settle(Outcome::Success);
    }
    let stats = bench.counters.read();
    assert_eq!((stats.opened, stats.reused, stats.checked), (1, 2, 0));
    bench.assert_at_rest(1);
}

#[tokio::test(start_paused = true)]
async fn the_newest_first_and_no_more_than_keep() {
    let bench = Bench::new(SOURCE.keep(2));
    let (one, two, three) = (
        bench.leased().await,
        bench.leased().await,
        bench.leased().await,
    );
    one.settle(Outcome::Success);
    three.settle(Outcome::Success);
    two.settle(Outcome::Success);
    settled().await;
    bench.assert_at_rest(2);
    assert_eq!(bench.counters.read().closed, 1);
    assert_eq!(bench.leased().await.connection.number, 2);
}

#[tokio::test(start_paused = true)]
async fn as_many_are_kept_as_were_leased_at_once_unless_the_source_says() {
    let mut unsaid = SOURCE;
    unsaid.keep = None;
    for (source, opened) in [(unsaid, 2), (unsaid.keep(1), 4)] {
        let bench = Bench::new(source);
        for _ in 0..3 {
            let (one, two) = (bench.leased().await, bench.leased().await);
            one.settle(Outcome::Success);
            two.settle(Outcome::Success);
            settled().await;
        }
        assert_eq!(bench.counters.read().opened, opened);
        drop(std::mem::take(&mut bench.depot.state().idle));
    }
}

#[tokio::test(start_paused = true)]
async fn keep_nothing() {
    let bench = Bench::new(SOURCE.keep(0));
    bench.leased().await.settle(Outcome::Success);
    settled().await;
    bench.assert_at_rest(0);
}

#[tokio::test(start_paused = true)]
async fn each_clock_alone_makes_it_doubtful() {
    let turns: [fn(); 3] = [
        || turn::monotonic(Duration::from_secs(1)),
        || turn::wall(Duration::from_secs(1)),
        || turn::wall_back(Duration::from_secs(1)),
    ];
    for (number, turn) in turns.into_iter().enumerate() {
        let bench = Bench::new(SOURCE);
        bench.leased().await.settle(Outcome::Success);
        turn();
        bench.leased().await.settle(Outcome::Success);
        let stats = bench.counters.read();
        assert_eq!(
            (stats.opened, stats.reused, stats.checked),
            (1, 1, 1),
            "clock {number}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_pass_its_check_is_replaced_at_once() {
    for gate in [Gate::Err, Gate::Never] {
        let bench = Bench::new(SOURCE.verify_after(Duration::ZERO));
        bench.leased().await.settle(Outcome::Success);
        set(|world| world.check = gate);
        let begun = Instant::now();
        bench.leased().await.settle(Outcome::Success);
        assert!(
            begun.elapsed() <= SOURCE.check_timeout + Duration::from_millis(1),
            "{gate:?}"
        );
        let stats = bench.counters.read();
        assert_eq!(
            (stats.opened, stats.stale, stats.refused),
            (2, 1, 0),
            "{gate:?}"
        );
        bench.assert_at_rest(1);
        drop(std::mem::take(&mut bench.depot.state().idle));
        set(|world| world.check = Gate::Ok);
    }
}

#[tokio::test(start_paused = true)]
async fn one_time_out_condemns_the_older_ones() {
    let bench = Bench::new(SOURCE.keep(3));
    let (one, two, three) = (
        bench.leased().await,
        bench.leased().await,
        bench.leased().await,
    );
    [one, two, three]
        .into_iter()
        .for_each(|held| held.settle(Outcome::Success));
    turn::wall(Duration::from_secs(60));
    set(|world| world.check = Gate::Never);
    let begun = Instant::now();
    bench.leased().await.settle(Outcome::Success);
    assert!(begun.elapsed() <= SOURCE.check_timeout + Duration::from_millis(1));
    assert_eq!(bench.counters.read().stale, 3);
    bench.assert_at_rest(1);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_had_no_time_condemns_nobody_else() {
    for (left, idle, stale) in [(Duration::from_millis(10), 2, 1), (Duration::ZERO, 3, 0)] {
        let bench = Bench::new(SOURCE.keep(3));
        let (one, two, three) = (
            bench.leased().await,
            bench.leased().await,
            bench.leased().await,
        );
        [one, two, three]
            .into_iter()
            .for_each(|held| held.settle(Outcome::Success));
        turn::wall(Duration::from_secs(60));
        set(|world| (world.connect, world.check) = (Gate::Never, Gate::Slow));
        let deadline = Some(Instant::now() + Duration::from_millis(250) + left);
        let lease = INVOCATION
            .scope(Invocation::new(deadline), bench.lease())
            .await;
        assert!(lease.is_err(), "{left:?}");
        bench.assert_at_rest(idle);
        assert_eq!(bench.counters.read().stale, stale, "{left:?}");
        set(|world| (world.connect, world.check) = (Gate::Ok, Gate::Ok));
        bench.leased().await.settle(Outcome::Success);
        drop(std::mem::take(&mut bench.depot.state().idle));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_followed_by_a_check() {
    for (gate, kept) in [
        (Gate::Ok, 1),
        (Gate::Slow, 1),
        (Gate::Err, 0),
        (Gate::Never, 0),
    ] {
        let bench = Bench::new(SOURCE);
        set(|world| world.check = gate);
        bench.leased().await.settle(Outcome::Failure);
        settled().await;
        bench.assert_at_rest(kept);
        drop(std::mem::take(&mut bench.depot.state().idle));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_unfinished_is_brought_to_rest() {
    set(|world| (world.unfinished, world.check) = (true, Gate::Never));
    for (gate, at_once, in_the_end) in [
        (Gate::Ok, 1, 1),
        (Gate::Slow, 0, 1),
        (Gate::Err, 0, 0),
        (Gate::Never, 0, 0),
    ] {
        let bench = Bench::new(SOURCE);
        set(|world| world.rest = gate);
        bench.leased().await.settle(Outcome::Success);
        assert_eq!(bench.depot.counts().0, at_once, "{gate:?}");
        settled().await;
        bench.assert_at_rest(in_the_end);
        drop(std::mem::take(&mut bench.depot.state().idle));
    }
}

/// Until then the connection may be leased again, and nobody waits for the question.
#[tokio::test(start_paused = true)]
async fn the_guard_asks_when_the_response_is_out() {
    let guard = crate::Guard::new().every(Duration::ZERO);
    let bench = Bench::new(SOURCE.guard(guard));
    set(|world| world.load = Gate::Never);
    let invocation = Invocation::new(None);
    let handler = async {
        for _ in 0..3 {
            bench.leased().await.settle(Outcome::Success);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        settled().await;
    };
    INVOCATION.scope(Arc::clone(&invocation), handler).await;
    assert_eq!(bench.counters.read().opened, 1);
    bench.assert_at_rest(1);
    invocation.respond();
    settled().await;
    // It was asked, and did not answer.
    bench.assert_at_rest(0);
}

/// As happens under a plain `lambda_http::run`.
#[tokio::test(start_paused = true)]
async fn a_freeze_in_the_middle_of_what_is_owed_makes_it_doubtful() {
    set(|world| (world.unfinished, world.check, world.rest) = (true, Gate::Slow, Gate::Slow));
    for (outcome, checked) in [(Outcome::Failure, 2), (Outcome::Success, 1)] {
        let bench = Bench::new(SOURCE);
        bench.leased().await.settle(outcome);
        tokio::time::sleep(Duration::from_millis(10)).await;
        turn::monotonic(Duration::from_secs(60));
        turn::wall(Duration::from_secs(60));
        settled().await;
        bench.leased().await;
        assert_eq!(bench.counters.read().checked, checked, "{outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_being_checked_is_waited_for() {
    let bench = Bench::new(SOURCE);
    set(|world| world.check = Gate::Slow);
    bench.leased().await.settle(Outcome::Failure);
    let held = bench.leased().await;
    assert_eq!(
        (held.connection.number, bench.counters.read().opened),
        (1, 1)
    );

    set(|world| world.check = Gate::Never);
    held.settle(Outcome::Failure);
    let begun = Instant::now();
    assert_eq!(bench.leased().await.connection.number, 2);
    assert!(begun.elapsed() <= SOURCE.check_timeout + Duration::from_millis(1));
}

#[tokio::test(start_paused = true)]
async fn dropped_without_settling_it_is_never_used_again() {
    let bench = Bench::new(SOURCE);
    drop(bench.leased().await);
    bench.assert_at_rest(0);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_max_connections_and_the_error_says_so() {
    let bench = Bench::new(SOURCE.max_connections(1));
    let held = bench.leased().await;
    let begun = Instant::now();
    let deadline = Some(begun + Duration::from_millis(1_250));
    let lease = INVOCATION
        .scope(Invocation::new(deadline), bench.lease())
        .await;
    let error = lease.err().expect("none is left");
    assert_eq!(begun.elapsed(), Duration::from_secs(1));
    assert_eq!(error.kind(), Some(crate::Kind::Saturated));
    let text = error.to_string();
    assert!(
        text.contains("`Source::max_connections` allows") && text.ends_with("in 1.0s)"),
        "{text}"
    );
    let (waiting, ()) = tokio::join!(bench.lease(), async { held.settle(Outcome::Success) });
    assert_eq!(waiting.expect("its turn").connection.number, 1);
}

#[tokio::test(start_paused = true)]
async fn connecting_gives_up_in_time_with_the_real_cause_and_no_secret() {
    for (gate, cause) in [
        (Gate::Err, "the gate is shut"),
        (Gate::Never, "no answer in time"),
    ] {
        let bench = Bench::new(SOURCE);
        set(|world| world.connect = gate);
        let begun = Instant::now();
        let error = bench
            .lease()
            .await
            .err()
            .expect("no connection")
            .to_string();
        assert!(begun.elapsed() <= SOURCE.connect_timeout + Duration::from_millis(1));
        assert!(
            error.contains(cause) && error.contains("host:1/db") && !error.contains("s3cret"),
            "{error}"
        );
        bench.assert_at_rest(0);
        set(|world| world.connect = Gate::Ok);
        bench.leased().await.settle(Outcome::Success);
        bench.assert_at_rest(1);
        drop(std::mem::take(&mut bench.depot.state().idle));
    }
}

#[test]
fn settled_outside_a_runtime_it_is_dropped() {
    let bench = Bench::new(SOURCE);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let held = runtime.block_on(bench.leased());
    held.settle(Outcome::Success);
    bench.assert_at_rest(0);
}

#[test]
fn what_is_idle_ends_with_its_runtime() {
    static DB: crate::Parked<Fake> = crate::Parked::new(SOURCE);
    for number in 1..=2 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            for _ in 0..2 {
                let mut lease = DB.lease().await.expect("a connection");
                assert_eq!(
                    crate::Lease::open(&mut lease)
                        .await
                        .expect("the connection")
                        .number,
                    number
                );
                crate::Lease::settle(lease, Outcome::Success);
            }
        });
        assert_eq!(alive(), 1);
        drop(runtime);
        assert_eq!(alive(), 0);
    }
    assert_eq!((DB.stats().opened, DB.stats().reused), (2, 2));
}

#[test]
fn outside_tokio_there_is_an_error_and_no_panic() {
    static DB: crate::Parked<Fake> = crate::Parked::new(SOURCE);
    let lease = std::pin::pin!(DB.lease()).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(
        lease,
        std::task::Poll::Ready(Err(Error::NoRuntime))
    ));
}
