//! A connection is kept only while the server has room for it.

use super::*;

/// A full server of ten connections.
const FULL: u64 = 10;

async fn released(bench: &Bench) {
    bench.leased().await.release(Outcome::Success);
    settled().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_connection_is_closed_on_a_full_server() {
    for outcome in [Outcome::Success, Outcome::Failure] {
        let bench = Bench::new(SOURCE);
        set(|fake| fake.connections = FULL);
        bench.leased().await.release(outcome);
        settled().await;
        bench.assert_quiet(0);
        let stats = bench.counters.read();
        assert_eq!((stats.load_queries, stats.shed, stats.closed), (1, 1, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_its_lease_has_not_used_is_closed_too() {
    let bench = Bench::new(SOURCE);
    set(|fake| fake.connections = FULL);
    bench.leased().await.release_unused();
    settled().await;
    bench.assert_quiet(0);
}

#[tokio::test(start_paused = true)]
async fn a_new_connection_is_kept_while_there_is_room() {
    let bench = Bench::new(SOURCE);
    set(|fake| fake.connections = 8);
    for _ in 0..3 {
        released(&bench).await;
    }
    bench.assert_quiet(1);
    let stats = bench.counters.read();
    assert_eq!((stats.opened, stats.load_queries, stats.shed), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn until_the_response_a_connection_may_be_leased_again() {
    let bench = Bench::new(SOURCE);
    set(|fake| fake.connections = FULL);
    let invocation = Invocation::new(None);
    let handler = async {
        for _ in 0..3 {
            released(&bench).await;
        }
    };
    INVOCATION.scope(Arc::clone(&invocation), handler).await;
    bench.assert_quiet(1);
    assert_eq!(bench.counters.read().opened, 1);
    invocation.respond();
    settled().await;
    bench.assert_quiet(0);
    assert_eq!(bench.counters.read().load_queries, 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_found_a_full_server_is_closed_unasked() {
    for source in [SOURCE, SOURCE.load_shedding(LoadShedding::off())] {
        let bench = Bench::new(source);
        set(|fake| fake.connect = Gate::Full);
        let room = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            set(|fake| fake.connect = Gate::Ok);
        };
        let (leased, ()) = tokio::join!(bench.leased(), room);
        leased.release(Outcome::Success);
        settled().await;
        bench.assert_quiet(0);
        let stats = bench.counters.read();
        assert_eq!((stats.load_queries, stats.shed), (0, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_kept_connection_is_closed_once_the_server_is_full() {
    let bench = Bench::new(SOURCE);
    set(|fake| fake.connections = 8);
    released(&bench).await;
    set(|fake| fake.connections = FULL);
    released(&bench).await;
    bench.assert_quiet(1);
    mock::advance_wall(Duration::from_secs(3));
    released(&bench).await;
    bench.assert_quiet(0);
}

/// Others wait for the slot. A sandbox that is invoked at once would always take it again.
#[tokio::test(start_paused = true)]
async fn a_sandbox_that_met_a_full_server_lets_others_take_its_slot() {
    let bench = Bench::new(SOURCE);
    set(|fake| fake.connections = FULL);
    let mut waited = Duration::ZERO;
    for _ in 0..20 {
        released(&bench).await;
        let begun = tokio::time::Instant::now();
        let leased = bench.leased().await;
        waited += begun.elapsed();
        leased.release(Outcome::Success);
        settled().await;
    }
    let average = waited / 20;
    let expected = Duration::from_millis(10)..Duration::from_millis(50);
    assert!(expected.contains(&average), "{average:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_report_its_load_is_asked_once() {
    let bench = Bench::new(SOURCE);
    set(|fake| fake.connections = 0);
    for _ in 0..20 {
        released(&bench).await;
        mock::advance_wall(Duration::from_secs(60));
    }
    bench.assert_quiet(1);
    assert_eq!(bench.counters.read().load_queries, 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_while_load_shedding_is_off() {
    let bench = Bench::new(SOURCE.load_shedding(LoadShedding::off()));
    set(|fake| fake.connections = FULL);
    released(&bench).await;
    bench.assert_quiet(1);
    assert_eq!(bench.counters.read().load_queries, 0);
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_an_answer_is_dropped() {
    let bench = Bench::new(SOURCE);
    set(|fake| fake.load = Gate::Never);
    released(&bench).await;
    bench.assert_quiet(0);
    // The next one is not asked.
    released(&bench).await;
    bench.assert_quiet(1);
    assert_eq!(bench.counters.read().load_queries, 1);
}

#[tokio::test(start_paused = true)]
async fn no_more_connections_are_closed_than_are_too_many() {
    let bench = Bench::new(SOURCE.keep(3));
    set(|fake| fake.connections = 9);
    let all = [
        bench.leased().await,
        bench.leased().await,
        bench.leased().await,
    ];
    all.into_iter()
        .for_each(|leased| leased.release(Outcome::Success));
    settled().await;
    bench.assert_quiet(2);
    assert_eq!(bench.counters.read().load_queries, 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_connection_is_not_frozen_unasked() {
    let bench = Bench::new(SOURCE);
    bench.leased().await.release(Outcome::Success);
    bench.assert_quiet(1);
    background::wait(Owner::Any, Instant::now()).await;
    settled().await;
    bench.assert_quiet(0);
    assert_eq!(bench.counters.read().load_queries, 0);
}

#[tokio::test(start_paused = true)]
async fn one_answer_counts_for_two_leases() {
    let bench = Bench::new(SOURCE.keep(2));
    set(|fake| (fake.connections, fake.load) = (9, Gate::Slow));
    let (one, two) = (bench.leased().await, bench.leased().await);
    one.release(Outcome::Success);
    two.release(Outcome::Success);
    settled().await;
    bench.assert_quiet(1);
    assert_eq!(bench.counters.read().load_queries, 1);
}
