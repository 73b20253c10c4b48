//! The stress tests in their short form.
//! `cargo run --release -p reuse-db-tests --bin stress` runs the long form.

use reuse_db_tests::function::program;
use reuse_db_tests::stress::{Length, Programs, faults, fleet, jitter, soak};

fn programs() -> Programs {
    Programs::beside(program("function"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_larger_than_the_server_is_served() {
    println!("{}", fleet::run(&programs(), Length::Short).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_fails_more_invocations_than_it_hits() {
    println!("{}", faults::run(&programs(), Length::Short).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_of_many_sandboxes_are_spread() {
    println!("{}", jitter::run(&programs(), Length::Short).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_run_leaks_nothing() {
    println!("{}", soak::run(&programs(), Length::Short).await);
}
