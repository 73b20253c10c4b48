//! What is not kept is closed after the response, and not before.

use super::*;

/// Several annotated functions of one invocation share a connection, whatever is kept.
#[tokio::test(start_paused = true)]
async fn what_is_not_kept_may_be_leased_again_until_the_response() {
    let bench = Bench::new(SOURCE.keep(0).max_connections(1));
    let invocation = Invocation::new(None);
    let handler = async {
        for outcome in [Outcome::Success, Outcome::Failure, Outcome::Success] {
            bench.leased().await.settle(outcome);
            settled().await;
        }
    };
    INVOCATION.scope(Arc::clone(&invocation), handler).await;
    let stats = bench.counters.read();
    assert_eq!((stats.opened, stats.closed, alive()), (1, 0, 1));
    invocation.respond();
    settled().await;
    assert_eq!((bench.counters.read().closed, alive()), (1, 0));
    assert_eq!(bench.depot.counts(), (0, 0, 1));
}

/// The layer that waits for what is owed has given up, or there will be no response.
#[tokio::test(start_paused = true)]
async fn where_there_is_no_time_to_close_it_is_dropped() {
    for close in [Gate::Ok, Gate::Never] {
        set(|world| world.close = close);
        let bench = Bench::new(SOURCE.keep(0));
        let invocation = Invocation::new(None);
        let handler = async { bench.leased().await.settle(Outcome::Success) };
        INVOCATION.scope(Arc::clone(&invocation), handler).await;
        owed::done(owed::Debtor::Anybody, Instant::now()).await;
        bench.assert_at_rest(0);

        let handler = async { bench.leased().await.settle(Outcome::Success) };
        INVOCATION.scope(invocation, handler).await;
        settled().await;
        bench.assert_at_rest(0);
    }
}
