//! The cost of a failed invocation for its connection.

use super::*;

/// Runs one invocation for each outcome, and returns the numbers of their connections.
async fn numbers(bench: &Bench, outcomes: &[Outcome]) -> Vec<usize> {
    let mut numbers = Vec::new();
    for outcome in outcomes {
        let leased = bench.leased().await;
        numbers.push(leased.connection.number);
        leased.release(*outcome);
        settled().await;
    }
    numbers
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_not_used_after_two_failures_in_a_row() {
    use Outcome::{ClientError, Failure, Success};
    let bench = Bench::new(SOURCE);
    let outcomes = [
        Failure,
        Success,
        Failure,
        ClientError,
        Failure,
        Failure,
        Failure,
        Success,
    ];
    assert_eq!(numbers(&bench, &outcomes).await, [1, 1, 1, 1, 1, 1, 2, 2]);
    assert_eq!(bench.counters.read().discarded, 1);
    bench.assert_quiet(1);
}

#[tokio::test(start_paused = true)]
async fn a_rejection_counts_unless_the_session_is_reset_like_a_new_one() {
    use Outcome::{Failure, Rejected};
    let bench = Bench::new(SOURCE);
    let outcomes = [
        Rejected, Rejected, Rejected, Failure, Rejected, Failure, Failure,
    ];
    assert_eq!(numbers(&bench, &outcomes).await, [1, 1, 1, 1, 1, 1, 2]);
    let driver = Driver::<Fake>::of();
    let partial = Driver {
        resets_all: |_| false,
        ..driver
    };
    for driver in [Some(&partial), None] {
        let mut failures = Failures::default();
        let mut cure = |source: &Source| {
            let cure = failures.count(Rejected, driver, source);
            cure.map(|(cure, _)| cure)
        };
        assert_eq!(cure(&SOURCE), Some(Cure::Reset));
        assert_eq!(cure(&SOURCE), Some(Cure::Replace));
        let in_memory = Source::env("REUSE_DB_NO_SUCH_VARIABLE").or("sqlite::memory:");
        assert_eq!(cure(&in_memory), Some(Cure::Reset));
    }
}

#[tokio::test(start_paused = true)]
async fn stale_statements_are_closed_in_the_background_or_the_connection_is_dropped() {
    use Outcome::{Stale, Success};
    for (clear, expected) in [
        (Gate::Ok, [1, 1]),
        (Gate::Slow, [1, 1]),
        (Gate::Err, [1, 2]),
        (Gate::Never, [1, 2]),
    ] {
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                set(|fakes| fakes.clear = clear);
                let bench = Bench::new(SOURCE);
                assert_eq!(
                    numbers(&bench, &[Stale, Success]).await,
                    expected,
                    "{clear:?}"
                );
                assert_eq!(cleared(), 1);
                bench.assert_quiet(1);
            });
        })
        .join()
        .expect("a result");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_dropped_at_once_unless_it_is_new() {
    let bench = Bench::new(SOURCE);
    // Another new connection would fail in the same way.
    assert_eq!(
        numbers(&bench, &[Outcome::Broken, Outcome::Success]).await,
        [1, 1]
    );
    assert_eq!(cleared(), 1);
    let leased = bench.leased().await;
    leased.release(Outcome::Broken);
    assert_eq!((alive(), cleared()), (0, 1));
    bench.assert_quiet(0);
}
