//! The stress tests in their long form.
//!
//! `cargo run --release -p reuse-db-tests --bin stress [-- [short] PART…]` runs the parts `fleet`,
//! `growth`, `faults`, `jitter` and `soak`, or those that are named. A part of `fleet`
//! can be named alone, also for one server and one way to a connection: `crowd`, `crowd:mariadb`,
//! `crowd:mariadb:pool`.
//!
//! The part `deaths` takes 15 min and no load. Run it without `--release`, because the release
//! build of its function takes minutes. The part `sockets` uses the same function, so run that part
//! without `--release`, too. It takes 15 min.

#![expect(clippy::expect_used, reason = "a tool fails with a message")]

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use reuse_db_tests::stress::{
    Length, Programs, deaths, faults, fleet, growth, jitter, soak, sockets,
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
        parts = ["fleet", "growth", "faults", "jitter", "soak"]
            .map(String::from)
            .to_vec();
    }
    let programs = built(&parts);
    for part in parts {
        let begun = Instant::now();
        let report = match part.as_str() {
            "faults" => faults::run(&programs, length).await,
            "deaths" => deaths::run(&programs, length).await,
            "growth" => growth::run(length),
            "jitter" => jitter::run(&programs, length).await,
            "soak" => soak::run(&programs, length).await,
            "sockets" => sockets::run(&programs, length).await,
            other if fleet::is_selection(other) => fleet::run(&programs, length, other).await,
            other => {
                format!(
                    "no part `{other}`: there are fleet and its parts, growth, faults, deaths, jitter, soak, sockets"
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
        _ => "fleet_function",
    }
}

/// Builds the functions of the parts, with the profile of this program.
fn built(parts: &[String]) -> Programs {
    let this = std::env::current_exe().expect("a path");
    let folder = this.parent().expect("target/PROFILE");
    let target = folder.parent().expect("target");
    let profile = if cfg!(debug_assertions) {
        "dev"
    } else {
        "release"
    };
    let status = Command::new(env!("CARGO"))
        .args(["build", "--profile", profile, "--quiet", "--target-dir"])
        .arg(target)
        .args(parts.iter().flat_map(|part| ["--bin", function_of(part)]))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .status()
        .expect("cargo starts");
    assert!(status.success(), "the functions are not built");
    Programs::in_folder(folder)
}
