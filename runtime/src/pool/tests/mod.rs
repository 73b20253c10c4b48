//! The pool's promises, with a fake connection that does at each await what the test sets.

mod failures;
mod interleavings;
mod keep;
mod lifetime;
mod load_shedding;
mod opening;
mod responses;
mod shared_value;

use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Wake, Waker};

use tokio::time::Instant;

use super::*;
use crate::clock::mock;
use crate::connect::{Cure, Driver};
use crate::error::{Error, ErrorKind};
use crate::invocation::background::{self, Owner};
use crate::invocation::{INVOCATION, Invocation, leases_out};
use crate::response::Outcome;
use crate::source::LoadShedding;
use crate::statics::{Exclusive, Lease};
use crate::testing::{Fake, FakeBehavior, GATES, Gate, SOURCE, alive, cleared, set};

struct Bench {
    pool: Arc<Pool<Fake>>,
    counters: &'static Counters,
}

impl Bench {
    fn new(source: Source) -> Self {
        Self {
            pool: Arc::new(Pool::new(source)),
            counters: Box::leak(Box::new(Counters::new())),
        }
    }

    async fn lease(&self) -> Result<CheckedOut<Fake>, Error> {
        Arc::clone(&self.pool).acquire(self.counters).await
    }

    async fn leased(&self) -> CheckedOut<Fake> {
        self.lease().await.expect("a connection")
    }

    /// Makes three connections idle for a minute.
    async fn three_in_doubt(&self) {
        let all = [
            self.leased().await,
            self.leased().await,
            self.leased().await,
        ];
        all.into_iter()
            .for_each(|leased| leased.release(Outcome::Success));
        mock::advance_wall(Duration::from_secs(60));
    }

    /// Asserts that `idle` connections are alive, all of them idle, and all permits are free.
    #[track_caller]
    fn assert_quiet(&self, idle: usize) {
        assert_eq!(
            self.pool.counts(),
            (idle, 0, SOURCE.connection_limit()),
            "idle, returning, permits"
        );
        assert_eq!(alive(), idle, "alive");
    }
}

/// Waits until all spawned work is done.
async fn settled() {
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_reused_without_a_check() {
    let bench = Bench::new(SOURCE);
    for _ in 0..3 {
        let leased = bench.leased().await;
        assert_eq!(leased.connection.number, 1);
        leased.release(Outcome::Success);
    }
    let stats = bench.counters.read();
    assert_eq!((stats.opened, stats.reused, stats.checked), (1, 2, 0));
    bench.assert_quiet(1);
}

#[tokio::test(start_paused = true)]
async fn the_newest_connection_is_reused_and_excess_ones_are_closed() {
    let bench = Bench::new(SOURCE.keep(2));
    let (one, two, three) = (
        bench.leased().await,
        bench.leased().await,
        bench.leased().await,
    );
    one.release(Outcome::Success);
    three.release(Outcome::Success);
    two.release(Outcome::Success);
    settled().await;
    bench.assert_quiet(2);
    assert_eq!(bench.counters.read().closed, 1);
    assert_eq!(bench.leased().await.connection.number, 2);
}

#[tokio::test(start_paused = true)]
async fn as_many_are_kept_as_were_leased_at_once_unless_the_source_sets_it() {
    let mut unset = SOURCE;
    unset.keep = None;
    for (source, opened) in [(unset, 2), (unset.keep(1), 4)] {
        let bench = Bench::new(source);
        for _ in 0..3 {
            let (one, two) = (bench.leased().await, bench.leased().await);
            one.release(Outcome::Success);
            two.release(Outcome::Success);
            settled().await;
        }
        assert_eq!(bench.counters.read().opened, opened);
        drop(std::mem::take(&mut bench.pool.state().idle));
    }
}

#[tokio::test(start_paused = true)]
async fn keep_zero_closes_every_connection() {
    let bench = Bench::new(SOURCE.keep(0));
    bench.leased().await.release(Outcome::Success);
    settled().await;
    bench.assert_quiet(0);
}

#[tokio::test(start_paused = true)]
async fn either_clock_alone_leads_to_a_check() {
    let advances: [fn(); 3] = [
        || mock::advance_monotonic(Duration::from_secs(1)),
        || mock::advance_wall(Duration::from_secs(1)),
        || mock::set_wall_back(Duration::from_secs(1)),
    ];
    for (number, advance) in advances.into_iter().enumerate() {
        let bench = Bench::new(SOURCE);
        bench.leased().await.release(Outcome::Success);
        advance();
        bench.leased().await.release(Outcome::Success);
        let stats = bench.counters.read();
        assert_eq!(
            (stats.opened, stats.reused, stats.checked),
            (1, 1, 1),
            "clock {number}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_fails_its_check_is_replaced_at_once() {
    for gate in [Gate::Err, Gate::Never] {
        let bench = Bench::new(SOURCE.verify_after(Duration::ZERO));
        bench.leased().await.release(Outcome::Success);
        set(|fake| fake.check = gate);
        let begun = Instant::now();
        bench.leased().await.release(Outcome::Success);
        assert!(
            begun.elapsed() <= SOURCE.check_timeout + Duration::from_millis(1),
            "{gate:?}"
        );
        let stats = bench.counters.read();
        assert_eq!(
            (stats.opened, stats.stale, stats.unavailable),
            (2, 1, 0),
            "{gate:?}"
        );
        bench.assert_quiet(1);
        drop(std::mem::take(&mut bench.pool.state().idle));
        set(|fake| fake.check = Gate::Ok);
    }
}

#[tokio::test(start_paused = true)]
async fn one_time_out_drops_the_older_connections() {
    let bench = Bench::new(SOURCE.keep(3));
    bench.three_in_doubt().await;
    set(|fake| fake.check = Gate::Never);
    let begun = Instant::now();
    bench.leased().await.release(Outcome::Success);
    assert!(begun.elapsed() <= SOURCE.check_timeout + Duration::from_millis(1));
    assert_eq!(bench.counters.read().stale, 3);
    bench.assert_quiet(1);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_was_cut_short_drops_no_other_connection() {
    for (left, idle, stale) in [(Duration::from_millis(10), 2, 1), (Duration::ZERO, 3, 0)] {
        let bench = Bench::new(SOURCE.keep(3));
        bench.three_in_doubt().await;
        set(|fake| (fake.connect, fake.check) = (Gate::Never, Gate::Slow));
        let deadline = Some(Instant::now() + Duration::from_millis(250) + left);
        let lease = INVOCATION
            .scope(Invocation::new(deadline), bench.lease())
            .await;
        assert!(lease.is_err(), "{left:?}");
        bench.assert_quiet(idle);
        assert_eq!(bench.counters.read().stale, stale, "{left:?}");
        set(|fake| (fake.connect, fake.check) = (Gate::Ok, Gate::Ok));
        bench.leased().await.release(Outcome::Success);
        drop(std::mem::take(&mut bench.pool.state().idle));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_invocation_is_followed_by_a_check() {
    for (gate, kept) in [
        (Gate::Ok, 1),
        (Gate::Slow, 1),
        (Gate::Err, 0),
        (Gate::Never, 0),
    ] {
        let bench = Bench::new(SOURCE);
        set(|fake| fake.check = gate);
        bench.leased().await.release(Outcome::Failure);
        settled().await;
        bench.assert_quiet(kept);
        drop(std::mem::take(&mut bench.pool.state().idle));
    }
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_connection_is_quiesced() {
    set(|fake| (fake.needs_quiesce, fake.check) = (true, Gate::Never));
    for (gate, at_once, in_the_end) in [
        (Gate::Ok, 1, 1),
        (Gate::Slow, 0, 1),
        (Gate::Err, 0, 0),
        (Gate::Never, 0, 0),
    ] {
        let bench = Bench::new(SOURCE);
        set(|fake| fake.quiesce = gate);
        bench.leased().await.release(Outcome::Success);
        assert_eq!(bench.pool.counts().0, at_once, "{gate:?}");
        settled().await;
        bench.assert_quiet(in_the_end);
        drop(std::mem::take(&mut bench.pool.state().idle));
    }
}

/// Finds out, at the end of a lease, whether its background work is known.
#[derive(Default)]
struct AtTheEnd(AtomicBool);

impl Wake for AtTheEnd {
    fn wake(self: Arc<Self>) {
        self.0.store(!background::is_idle(Owner::Any), Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_ends_once_its_background_work_is_known() {
    let bench = Bench::new(SOURCE);
    for end in [
        |leased: CheckedOut<Fake>| leased.release(Outcome::Success),
        |leased: CheckedOut<Fake>| leased.release(Outcome::Failure),
        |leased: CheckedOut<Fake>| leased.release_unused(),
    ] {
        // The end of another test's lease wakes it, too, perhaps too early.
        let mut is_known = false;
        for _ in 0..5 {
            let begun = Instant::now();
            let mut leased = bench.leased().await;
            // A new connection leads to a load query.
            leased.standing = Standing::New;
            let mut wait = pin!(leases_out::wait(begun, begun + Duration::from_secs(1)));
            let seen = Arc::new(AtTheEnd::default());
            let waker = Waker::from(Arc::clone(&seen));
            let poll = wait.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(poll.is_pending());
            end(leased);
            is_known |= seen.0.load(Relaxed);
            assert!(wait.await);
            settled().await;
        }
        assert!(is_known);
    }
    bench.assert_quiet(1);
}

#[tokio::test(start_paused = true)]
async fn a_freeze_during_background_work_leads_to_a_check() {
    set(|fake| (fake.needs_quiesce, fake.check, fake.quiesce) = (true, Gate::Slow, Gate::Slow));
    for (outcome, checked) in [(Outcome::Failure, 2), (Outcome::Success, 1)] {
        let bench = Bench::new(SOURCE);
        bench.leased().await.release(outcome);
        tokio::time::sleep(Duration::from_millis(10)).await;
        mock::advance_monotonic(Duration::from_secs(60));
        mock::advance_wall(Duration::from_secs(60));
        settled().await;
        bench.leased().await;
        assert_eq!(bench.counters.read().checked, checked, "{outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_waits_for_a_connection_that_is_being_checked() {
    let bench = Bench::new(SOURCE);
    set(|fake| fake.check = Gate::Slow);
    bench.leased().await.release(Outcome::Failure);
    let leased = bench.leased().await;
    assert_eq!(
        (leased.connection.number, bench.counters.read().opened),
        (1, 1)
    );

    set(|fake| fake.check = Gate::Never);
    leased.release(Outcome::Failure);
    let begun = Instant::now();
    assert_eq!(bench.leased().await.connection.number, 2);
    assert!(begun.elapsed() <= SOURCE.check_timeout + Duration::from_millis(1));
}

#[tokio::test(start_paused = true)]
async fn a_connection_dropped_without_release_is_not_reused() {
    let bench = Bench::new(SOURCE);
    drop(bench.leased().await);
    bench.assert_quiet(0);
}

#[tokio::test(start_paused = true)]
async fn a_lease_beyond_max_connections_waits_and_its_error_names_the_limit() {
    let bench = Bench::new(SOURCE.max_connections(1));
    let leased = bench.leased().await;
    let begun = Instant::now();
    let deadline = Some(begun + Duration::from_millis(1_500));
    let lease = INVOCATION
        .scope(Invocation::new(deadline), bench.lease())
        .await;
    let error = lease.err().expect("none is left");
    // A first handler keeps 500 ms.
    assert_eq!(begun.elapsed(), Duration::from_secs(1));
    assert_eq!(error.kind(), Some(ErrorKind::Saturated));
    let text = error.to_string();
    assert!(
        text.contains("`Source::max_connections` allows") && text.ends_with("in 1.0s)"),
        "{text}"
    );
    let (waiting, ()) = tokio::join!(bench.lease(), async { leased.release(Outcome::Success) });
    assert_eq!(waiting.expect("a connection").connection.number, 1);
}

#[tokio::test(start_paused = true)]
async fn connecting_fails_in_time_with_the_cause_and_no_secret() {
    for (gate, cause) in [
        (Gate::Err, "the gate is shut"),
        (Gate::Never, "no answer in time"),
    ] {
        let bench = Bench::new(SOURCE);
        set(|fake| fake.connect = gate);
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
        bench.assert_quiet(0);
        set(|fake| fake.connect = Gate::Ok);
        bench.leased().await.release(Outcome::Success);
        bench.assert_quiet(1);
        drop(std::mem::take(&mut bench.pool.state().idle));
    }
}

#[test]
fn a_connection_released_outside_a_runtime_is_dropped() {
    let bench = Bench::new(SOURCE);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let leased = runtime.block_on(bench.leased());
    leased.release(Outcome::Success);
    bench.assert_quiet(0);
}

#[test]
fn idle_connections_end_with_their_runtime() {
    static DB: Exclusive<Fake> = Exclusive::new(SOURCE);
    for number in 1..=2 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            for _ in 0..2 {
                let mut lease = DB.lease().await.expect("a connection");
                assert_eq!(
                    Lease::open(&mut lease)
                        .await
                        .expect("the connection")
                        .number,
                    number
                );
                Lease::settle(lease, Outcome::Success);
            }
        });
        assert_eq!(alive(), 1);
        drop(runtime);
        assert_eq!(alive(), 0);
    }
    assert_eq!((DB.stats().opened, DB.stats().reused), (2, 2));
}

#[test]
fn outside_tokio_a_lease_is_an_error() {
    static DB: Exclusive<Fake> = Exclusive::new(SOURCE);
    let lease = std::pin::pin!(DB.lease()).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(lease, Poll::Ready(Err(Error::NoRuntime))));
}
