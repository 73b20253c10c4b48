//! An inspection waits for the response, for a short time. A lease ends the wait.

use super::*;
use crate::testing::inspected;

#[tokio::test(start_paused = true)]
async fn an_inspection_waits_for_the_response() {
    let bench = Bench::new(SOURCE);
    let invocation = Invocation::new(None);
    let handler = async {
        bench.leased().await.release(Outcome::Success);
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    INVOCATION.scope(Arc::clone(&invocation), handler).await;
    assert_eq!((inspected(), bench.pool.counts()), (0, (0, 1, 2)));
    invocation.respond();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(inspected(), 1);
    bench.assert_quiet(1);
}

/// A handler may meet a lock that one of its functions has left behind.
#[tokio::test(start_paused = true)]
async fn a_handler_that_goes_on_delays_an_inspection_for_some_milliseconds() {
    let bench = Bench::new(SOURCE);
    let invocation = Invocation::new(None);
    let handler = async {
        bench.leased().await.release(Outcome::Success);
        tokio::time::sleep(Duration::from_millis(6)).await;
        assert_eq!(inspected(), 1);
    };
    INVOCATION.scope(invocation, handler).await;
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
