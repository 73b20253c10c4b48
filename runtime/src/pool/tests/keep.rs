//! Excess connections are closed after the response, and not before.

use super::*;

/// Several annotated functions of one invocation share a connection, even with `keep(0)`.
#[tokio::test(start_paused = true)]
async fn an_excess_connection_can_be_leased_until_the_response() {
    let bench = Bench::new(SOURCE.keep(0).max_connections(1));
    let invocation = Invocation::new(None);
    let handler = async {
        for outcome in [Outcome::Success, Outcome::Failure, Outcome::Success] {
            bench.leased().await.release(outcome);
            settled().await;
        }
    };
    INVOCATION.scope(Arc::clone(&invocation), handler).await;
    let stats = bench.counters.read();
    assert_eq!((stats.opened, stats.closed, alive()), (1, 0, 1));
    invocation.respond();
    settled().await;
    assert_eq!((bench.counters.read().closed, alive()), (1, 0));
    assert_eq!(bench.pool.counts(), (0, 0, 1));
}

/// The layer has aborted the work, or the invocation ends without a response.
#[tokio::test(start_paused = true)]
async fn an_excess_connection_is_dropped_if_no_time_is_left() {
    for close in [Gate::Ok, Gate::Never] {
        set(|fake| fake.close = close);
        let bench = Bench::new(SOURCE.keep(0));
        let invocation = Invocation::new(None);
        let handler = async { bench.leased().await.release(Outcome::Success) };
        INVOCATION.scope(Arc::clone(&invocation), handler).await;
        background::wait(Owner::Any, Instant::now()).await;
        bench.assert_quiet(0);

        let handler = async { bench.leased().await.release(Outcome::Success) };
        INVOCATION.scope(invocation, handler).await;
        settled().await;
        bench.assert_quiet(0);
    }
}
