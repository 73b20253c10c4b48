//! The stress tests in their long form.
//!
//! `cargo run --release -p reuse-db-tests --bin stress [-- [short] PART…]` runs the parts `fleet`,
//! `growth`, `faults`, `jitter`, `soak` and `transfers`, or those that are named. A part of `fleet`
//! can be named alone, also for one server and one way to a connection: `crowd`, `crowd:mariadb`,
//! `crowd:mariadb:pool`.
//!
//! The part `deaths` takes 15 min and no load. Run it without `--release`, because the release
//! build of its function takes minutes. The part `sockets` uses the same function, so run that part
//! without `--release`, too. It takes 15 min.

use std::time::Instant;

use reuse_db_tests::stress::{
    Length, Programs, deaths, faults, fleet, growth, jitter, soak, sockets, transfers,
};

#[tokio::main]
async fn main() {
    let mut parts: Vec<String> = std::env::args().skip(1).collect();
    let length = if parts.iter().any(|part| part == "short") {
        Length::Short
    } else {
        Length::Long
    };
    parts.retain(|part| part != "short");
    if parts.is_empty() {
        parts = ["fleet", "growth", "faults", "jitter", "soak", "transfers"]
            .map(String::from)
            .to_vec();
    }
    let functions: Vec<_> = parts.iter().map(|part| function_of(part)).collect();
    let programs = Programs::built(&functions);
    for part in parts {
        let begun = Instant::now();
        let report = match part.as_str() {
            "faults" => faults::run(&programs, length).await,
            "deaths" => deaths::run(&programs, length).await,
            "growth" => growth::run(length),
            "jitter" => jitter::run(&programs, length).await,
            "soak" => soak::run(&programs, length).await,
            "sockets" => sockets::run(&programs, length).await,
            "transfers" => transfers::run(&programs, length).await,
            other if fleet::is_selection(other) => fleet::run(&programs, length, other).await,
            other => {
                format!(
                    "no part `{other}`: there are fleet and its parts, growth, faults, deaths, jitter, soak, sockets, transfers"
                )
            }
        };
        println!(
            "\n# {part}, in {:.0} s\n\n{report}",
            begun.elapsed().as_secs_f64()
        );
    }
}

/// Returns the function that a part invokes.
fn function_of(part: &str) -> &'static str {
    match part {
        "deaths" | "sockets" => "field_function",
        "faults" => "faults_function",
        "soak" => "function",
        "transfers" => "transfer_function",
        _ => "fleet_function",
    }
}
