//! No connection is used beyond `max_lifetime`.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_connection_past_its_lifetime_is_closed_after_the_response() {
    let bench = Bench::new(SOURCE.max_lifetime(Duration::from_secs(60)));
    bench.leased().await.release(Outcome::Success);
    let leased = bench.leased().await;
    mock::advance_wall(Duration::from_secs(61));
    leased.release(Outcome::Success);
    settled().await;
    bench.assert_quiet(0);
    let stats = bench.counters.read();
    assert_eq!((stats.closed, stats.discarded), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_past_its_lifetime_is_replaced_without_a_check() {
    // Also if it is trusted, and by either clock.
    for advance in [mock::advance_wall, mock::advance_monotonic] {
        let source = SOURCE.verify_after(Duration::MAX);
        let bench = Bench::new(source.max_lifetime(Duration::from_secs(60)));
        bench.leased().await.release(Outcome::Success);
        advance(Duration::from_secs(59));
        bench.leased().await.release(Outcome::Success);
        assert_eq!(bench.counters.read().opened, 1, "reused");
        advance(Duration::from_secs(2));
        bench.leased().await.release(Outcome::Success);
        settled().await;
        bench.assert_quiet(1);
        let stats = bench.counters.read();
        assert_eq!((stats.opened, stats.discarded, stats.checked), (2, 1, 0));
        drop(bench);
        assert_eq!(alive(), 0);
    }
}

/// Nobody has asked it, so its idle time goes on.
#[tokio::test(start_paused = true)]
async fn a_lease_that_was_not_used_makes_no_connection_trusted() {
    let bench = Bench::new(SOURCE);
    bench.leased().await.release(Outcome::Success);
    for checked in [0, 1] {
        mock::advance_monotonic(Duration::from_millis(600));
        bench.leased().await.release_unused();
        assert_eq!(bench.counters.read().checked, checked);
    }
    // The check was an answer.
    mock::advance_monotonic(Duration::from_millis(600));
    bench.leased().await.release_unused();
    assert_eq!(bench.counters.read().checked, 1);
}
