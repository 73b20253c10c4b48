//! The long runs in short: `cargo run --release -p reuse-db-tests --bin stress` has them at length.

use reuse_db_tests::stress::{Length, Programs, faults, fleet, jitter, soak};

fn programs() -> Programs {
    Programs::beside(env!("CARGO_BIN_EXE_function"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet() {
    println!("{}", fleet::run(&programs(), Length::Short).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_each_kind() {
    println!("{}", faults::run(&programs(), Length::Short).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn jittered_tries() {
    println!("{}", jitter::run(&programs(), Length::Short).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_life() {
    println!("{}", soak::run(&programs(), Length::Short).await);
}
