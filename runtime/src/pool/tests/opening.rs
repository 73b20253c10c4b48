//! BEGIN finds a dead connection before the handler does.

use tokio::time::timeout;

use super::*;
use crate::testing::{FakeTransaction, GATES};

/// Returns a bench with one trusted idle connection, and its number.
async fn with_idle(source: Source) -> (Bench, usize) {
    set(|fake| *fake = FakeBehavior::SOUND);
    let bench = Bench::new(source);
    let leased = bench.leased().await;
    let number = leased.connection.number;
    leased.release(Outcome::Success);
    (bench, number)
}

#[tokio::test(start_paused = true)]
async fn a_dead_connection_is_replaced_before_the_handler_runs() {
    for (begin, waits) in [
        (Gate::Err, Duration::ZERO),
        (Gate::Never, SOURCE.check_timeout),
    ] {
        let (bench, number) = with_idle(SOURCE.max_connections(3)).await;
        set(|fake| fake.begin = (number, begin, Gate::Ok));
        let begun = Instant::now();
        let mut leased = bench.leased().await;
        let open = leased
            .open::<FakeTransaction>()
            .await
            .expect("a transaction");
        assert_ne!(open.number, number);
        assert!(begun.elapsed() <= waits + Duration::from_millis(2));
        let stats = bench.counters.read();
        assert_eq!((stats.opened, stats.stale), (2, 1));
        // A second transaction of the same invocation does not replace the connection again.
        let again = leased.open::<FakeTransaction>().await.expect("another");
        assert_ne!(again.number, number);
        assert_eq!(alive(), 1, "the dead one was dropped");
        set(|fake| fake.begin = (usize::MAX, begin, begin));
        assert!(leased.open::<FakeTransaction>().await.is_err());
        assert_eq!(bench.counters.read().opened, 2);
        leased.release(Outcome::Success);
        bench.assert_quiet(1);
        assert_ne!(bench.leased().await.connection.number, number);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_connection_is_not_replaced() {
    let bench = Bench::new(SOURCE);
    for begin in [Gate::Err, Gate::Never] {
        set(|fake| fake.begin = (usize::MAX, begin, begin));
        let mut leased = bench.leased().await;
        let begun = Instant::now();
        let error = leased
            .open::<FakeTransaction>()
            .await
            .expect_err("no transaction");
        assert_eq!(begin == Gate::Never, error.is_transient(), "{error}");
        assert!(begun.elapsed() <= SOURCE.connect_timeout + Duration::from_millis(2));
        drop(leased);
    }
    assert_eq!(bench.counters.read().opened, 2);
    assert_eq!(bench.counters.read().unavailable, 2, "one for each failure");
    bench.assert_quiet(0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_when_open_is_dropped_at_any_await() {
    for begin in GATES {
        for (begin_of_new, connect) in GATES
            .iter()
            .flat_map(|one| GATES.iter().map(move |two| (*one, *two)))
        {
            for cut_after in [0, 10, 30, 510, 530, 550, 6_000].map(Duration::from_millis) {
                for outcome in [Some(Outcome::Success), Some(Outcome::Failure), None] {
                    let what =
                        format!("{begin:?} {begin_of_new:?} {connect:?} {cut_after:?} {outcome:?}");
                    let (bench, number) = with_idle(SOURCE).await;
                    set(|fake| {
                        fake.begin = (number, begin, begin_of_new);
                        fake.connect = connect;
                    });
                    let mut leased = bench.leased().await;
                    let result = timeout(cut_after, leased.open::<FakeTransaction>()).await;
                    let is_open = matches!(result, Ok(Ok(_)));
                    assert!(alive() <= 2, "the dead one and its replacement: {what}");
                    match outcome {
                        Some(outcome) if is_open => leased.release(outcome),
                        _ => drop(leased),
                    }
                    settled().await;
                    let kept = usize::from(is_open && outcome.is_some());
                    assert_eq!(
                        bench.pool.counts(),
                        (kept, 0, SOURCE.connection_limit()),
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
