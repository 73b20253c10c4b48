//! The figures of reuse-db beside those of other ways to a database.
//!
//! `cargo run --release -p reuse-db-benches [-- PART…]` runs all parts, or those that are named.
//! It writes `runtime/docs/figures.md`, its charts and its CSV files. With `--quick` it checks what
//! does not depend on the machine, and writes below `target/figures`.

#![expect(clippy::expect_used, reason = "a tool fails with a message")]

mod chart;
mod clients;
mod cold;
mod concurrency;
mod figures;
mod fleet;
mod freeze;
mod machine;
mod output;
mod overheads;
mod peers;
mod stage;
mod warm;
mod ways;

use self::output::Output;

/// The length of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    /// For every change: the round trips are asserted.
    Quick,
    /// For the documents.
    Long,
}

/// All parts. The last one times the compiler for minutes, so the quick form leaves it out.
const PARTS: [&str; 7] = [
    "warm",
    "clients",
    "cold",
    "freeze",
    "fleet",
    "concurrency",
    "overheads",
];

#[tokio::main]
async fn main() {
    let mut parts: Vec<String> = std::env::args().skip(1).collect();
    let is_quick = parts.iter().any(|part| part == "--quick");
    parts.retain(|part| part != "--quick");
    let length = if is_quick {
        Length::Quick
    } else {
        Length::Long
    };
    if parts.is_empty() {
        parts = PARTS.map(String::from).to_vec();
        parts.truncate(if is_quick {
            PARTS.len() - 1
        } else {
            PARTS.len()
        });
    }
    let mut output = Output::new(length);
    for part in &parts {
        match part.as_str() {
            "warm" => warm::run(length, &mut output).await,
            "clients" => clients::run(length, &mut output).await,
            "cold" => cold::run(length, &mut output).await,
            "fleet" => fleet::run(length, &mut output).await,
            "freeze" => freeze::run(length, &mut output).await,
            "concurrency" => concurrency::run(length, &mut output).await,
            "overheads" => overheads::run(length, &mut output),
            other => {
                eprintln!("no part `{other}`: there are {}", PARTS.join(", "));
                std::process::exit(2);
            }
        }
    }
    let command = match parts.len() {
        n if n == PARTS.len() => String::new(),
        _ => format!(" -- {}", parts.join(" ")),
    };
    output.finish(&format!("cargo run --release -p reuse-db-benches{command}"));
}
