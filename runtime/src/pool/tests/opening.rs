//! A transaction's BEGIN finds out that a connection is dead before the handler does.

use tokio::time::timeout;

use super::*;
use crate::fake::{FakeTransaction, GATES};

/// A bench with a connection that is trusted, whatever it is worth.
async fn with_an_idle_one(source: Source) -> (Bench, usize) {
    set(|world| *world = World::SOUND);
    let bench = Bench::new(source);
    let held = bench.leased().await;
    let number = held.connection.number;
    held.settle(Outcome::Success);
    (bench, number)
}

#[tokio::test(start_paused = true)]
async fn a_dead_one_is_replaced_and_the_handler_does_not_know() {
    for (begin, waits) in [
        (Gate::Err, Duration::ZERO),
        (Gate::Never, SOURCE.check_timeout),
    ] {
        let (bench, number) = with_an_idle_one(SOURCE.max_connections(3)).await;
        set(|world| world.begin = (number, begin, Gate::Ok));
        let begun = Instant::now();
        let mut held = bench.leased().await;
        let open = held.open::<FakeTransaction>().await.expect("a transaction");
        assert_ne!(open.number, number);
        assert!(begun.elapsed() <= waits + Duration::from_millis(2));
        let stats = bench.counters.read();
        assert_eq!((stats.opened, stats.stale), (2, 1));
        // It is opened again for the next transaction of the same invocation, and not replaced any more.
        let again = held.open::<FakeTransaction>().await.expect("another");
        assert_ne!(again.number, number);
        assert_eq!(alive(), 1, "the dead one is gone");
        set(|world| world.begin = (usize::MAX, begin, begin));
        assert!(held.open::<FakeTransaction>().await.is_err());
        assert_eq!(bench.counters.read().opened, 2);
        held.settle(Outcome::Success);
        bench.assert_at_rest(1);
        assert_ne!(bench.leased().await.connection.number, number);
    }
}

/// It was not the connection's fault.
#[tokio::test(start_paused = true)]
async fn a_new_one_is_not_replaced() {
    let bench = Bench::new(SOURCE);
    for begin in [Gate::Err, Gate::Never] {
        set(|world| world.begin = (usize::MAX, begin, begin));
        let mut held = bench.leased().await;
        let begun = Instant::now();
        let error = held
            .open::<FakeTransaction>()
            .await
            .expect_err("no transaction");
        assert_eq!(begin == Gate::Never, error.passes(), "{error}");
        assert!(begun.elapsed() <= SOURCE.connect_timeout + Duration::from_millis(2));
        drop(held);
    }
    assert_eq!(bench.counters.read().opened, 2);
    assert_eq!(
        bench.counters.read().refused,
        1,
        "the one that may be had later"
    );
    bench.assert_at_rest(0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_wherever_it_is_cut_off() {
    for begin in GATES {
        for (begin_of_new, connect) in GATES
            .iter()
            .flat_map(|one| GATES.iter().map(move |two| (*one, *two)))
        {
            for cut_after in [0, 10, 30, 510, 530, 550, 6_000].map(Duration::from_millis) {
                for outcome in [Some(Outcome::Success), Some(Outcome::Failure), None] {
                    let what =
                        format!("{begin:?} {begin_of_new:?} {connect:?} {cut_after:?} {outcome:?}");
                    let (bench, number) = with_an_idle_one(SOURCE).await;
                    set(|world| {
                        world.begin = (number, begin, begin_of_new);
                        world.connect = connect;
                    });
                    let mut held = bench.leased().await;
                    let result = timeout(cut_after, held.open::<FakeTransaction>()).await;
                    let is_open = matches!(result, Ok(Ok(_)));
                    assert!(alive() <= 2, "the dead one, and another: {what}");
                    match outcome {
                        Some(outcome) if is_open => held.settle(outcome),
                        _ => drop(held),
                    }
                    settled().await;
                    let kept = usize::from(is_open && outcome.is_some());
                    assert_eq!(
                        bench.depot.counts(),
                        (kept, 0, SOURCE.max_connections),
                        "{what}"
                    );
                    assert_eq!(alive(), kept, "{what}");
                    drop(bench);
                    assert_eq!(alive(), 0, "{what}");
                }
            }
        }
    }
}
