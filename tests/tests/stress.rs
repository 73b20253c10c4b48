//! The stress tests in their short form.
//! `cargo run --release -p reuse-db-tests --bin stress` runs the long form.

use reuse_db_tests::function::program;
use reuse_db_tests::stress::fleet::{self, Part};
use reuse_db_tests::stress::{Length, Programs, faults, jitter, soak, transfers};

fn programs() -> Programs {
    Programs::beside(program("function"))
}

async fn fleet(part: Part) {
    println!(
        "{}",
        fleet::run(&programs(), Length::Short, part.name()).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_larger_than_the_server_is_served() {
    fleet(Part::Crowd).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_with_room_connects_once() {
    fleet(Part::Roomy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn newcomers_are_served_beside_frozen_sandboxes() {
    fleet(Part::Frozen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_is_served_beside_another_application() {
    fleet(Part::SecondApplication).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overloaded_server_is_used_and_shared() {
    fleet(Part::Overload).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_keeps_connections_again_when_there_is_room() {
    fleet(Part::Recovery).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn money_is_neither_lost_nor_made() {
    println!("{}", transfers::run(&programs(), Length::Short).await);
}
