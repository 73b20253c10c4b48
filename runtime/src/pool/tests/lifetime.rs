//! No connection becomes older than `max_lifetime` says.

use super::*;

#[tokio::test(start_paused = true)]
async fn one_that_became_too_old_is_closed_after_the_response() {
    let bench = Bench::new(SOURCE.max_lifetime(Duration::from_secs(60)));
    bench.leased().await.settle(Outcome::Success);
    let held = bench.leased().await;
    turn::wall(Duration::from_secs(61));
    held.settle(Outcome::Success);
    settled().await;
    bench.assert_at_rest(0);
    let stats = bench.counters.read();
    assert_eq!((stats.closed, stats.discarded), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn one_that_became_too_old_while_idle_is_replaced_without_a_check() {
    // However much it is trusted, and by either clock.
    for turn in [turn::wall, turn::monotonic] {
        let source = SOURCE.verify_after(Duration::MAX);
        let bench = Bench::new(source.max_lifetime(Duration::from_secs(60)));
        bench.leased().await.settle(Outcome::Success);
        turn(Duration::from_secs(59));
        bench.leased().await.settle(Outcome::Success);
        assert_eq!(bench.counters.read().opened, 1, "used since, and as old");
        turn(Duration::from_secs(2));
        bench.leased().await.settle(Outcome::Success);
        settled().await;
        bench.assert_at_rest(1);
        let stats = bench.counters.read();
        assert_eq!((stats.opened, stats.discarded, stats.checked), (2, 1, 0));
        drop(bench);
        assert_eq!(alive(), 0);
    }
}
