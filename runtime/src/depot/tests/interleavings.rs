//! Nothing is lost, wherever a future is cut off and whatever each await does.

use tokio::time::timeout;

use super::*;

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_wherever_a_lease_is_cut_off() {
    for connect in GATES {
        for check in GATES {
            for doubtful in [false, true] {
                for cut_after in [0, 10, 30, 510, 530, 6_000].map(Duration::from_millis) {
                    set(|world| (world.connect, world.check) = (Gate::Ok, Gate::Ok));
                    let bench = Bench::new(SOURCE);
                    bench.leased().await.settle(Outcome::Success);
                    set(|world| (world.connect, world.check) = (connect, check));
                    if doubtful {
                        turn::wall(Duration::from_secs(60));
                    }
                    let what = format!("{connect:?} {check:?} {doubtful} {cut_after:?}");
                    if let Ok(Ok(held)) = timeout(cut_after, bench.lease()).await {
                        assert_eq!(bench.depot.counts().2, SOURCE.max_connections - 1, "{what}");
                        held.settle(Outcome::Success);
                    }
                    settled().await;
                    let (idle, owed, permits) = bench.depot.counts();
                    assert_eq!(
                        (owed, permits, alive()),
                        (0, SOURCE.max_connections, idle),
                        "{what}"
                    );
                    assert!(idle <= 1, "{what}");
                    drop(bench);
                    assert_eq!(alive(), 0, "{what}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_however_it_is_settled_and_ended() {
    for outcome in [Outcome::Success, Outcome::Refusal, Outcome::Failure] {
        for gate in GATES {
            for close in GATES {
                for end_after in [0, 10, 30, 600].map(Duration::from_millis) {
                    set(|world| {
                        *world = World {
                            connect: Gate::Ok,
                            check: gate,
                            rest: gate,
                            close,
                            unfinished: true,
                        }
                    });
                    let bench = Bench::new(SOURCE);
                    let (one, two) = (bench.leased().await, bench.leased().await);
                    one.settle(outcome);
                    two.settle(outcome);
                    owed::done(owed::Debtor::Anybody, Instant::now() + end_after).await;
                    settled().await;
                    let (idle, owed, permits) = bench.depot.counts();
                    let what = format!("{outcome:?} {gate:?} {close:?} {end_after:?}");
                    assert_eq!(
                        (owed, permits, alive()),
                        (0, SOURCE.max_connections, idle),
                        "{what}"
                    );
                    assert!(idle <= 1, "{what}");
                    drop(bench);
                    assert_eq!(alive(), 0, "{what}");
                }
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
