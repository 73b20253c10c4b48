//! Work for the next invocation waits for the response. A lease ends the wait.

use super::*;
use crate::testing::inspected;

/// Releases a connection in an invocation whose response is not out.
async fn released(bench: &Bench, invocation: &Arc<Invocation>) {
    let handler = async {
        bench.leased().await.release(Outcome::Success);
        settled().await;
    };
    INVOCATION.scope(Arc::clone(invocation), handler).await;
}

#[tokio::test(start_paused = true)]
async fn an_inspection_waits_for_the_response() {
    let bench = Bench::new(SOURCE);
    let invocation = Invocation::new(None);
    released(&bench, &invocation).await;
    assert_eq!((inspected(), bench.pool.counts()), (0, (0, 1, 2)));
    invocation.respond();
    settled().await;
    assert_eq!(inspected(), 1);
    bench.assert_quiet(1);
}

/// The check after an invocation stands for a reset.
#[tokio::test(start_paused = true)]
async fn a_reset_after_a_success_waits_for_the_response() {
    let bench = Bench::new(SOURCE.reset_session());
    let invocation = Invocation::new(None);
    released(&bench, &invocation).await;
    assert_eq!(bench.counters.read().checked, 0);
    invocation.respond();
    settled().await;
    assert_eq!(bench.counters.read().checked, 1);
    bench.assert_quiet(1);
}

/// A second function of the invocation leases the connection, also if it is the only one.
#[tokio::test(start_paused = true)]
async fn a_lease_before_the_response_ends_the_wait() {
    for source in [SOURCE, SOURCE.max_connections(1)] {
        let before = inspected();
        let bench = Bench::new(source);
        let invocation = Invocation::new(None);
        let begun = Instant::now();
        let handler = async {
            bench.leased().await.release(Outcome::Success);
            bench.leased().await
        };
        let second = INVOCATION.scope(Arc::clone(&invocation), handler).await;
        assert_eq!((inspected() - before, bench.counters.read().opened), (1, 1));
        assert_eq!(begun.elapsed(), Duration::ZERO);
        // One that waits already, while the connection is released.
        let (third, ()) = tokio::join!(
            INVOCATION.scope(Arc::clone(&invocation), bench.leased()),
            INVOCATION.scope(Arc::clone(&invocation), async {
                tokio::task::yield_now().await;
                second.release(Outcome::Success);
            })
        );
        let is_shared = source.connection_limit() == 1;
        assert_eq!(bench.counters.read().opened, if is_shared { 1 } else { 2 });
        assert_eq!(begun.elapsed(), Duration::ZERO);
        invocation.respond();
        third.release(Outcome::Success);
        settled().await;
        drop(std::mem::take(&mut bench.pool.state().idle));
    }
}
