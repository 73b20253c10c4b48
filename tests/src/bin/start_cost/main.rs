//! The cost of a cold start: the time from the start of the process to its first response, with
//! `reuse_db::run` and the attribute, beside `lambda_http::run` and a pool in a static.
//!
//! `cargo run --release -p reuse-db-tests --bin start_cost [-- STARTS]` starts each function 30
//! times by default, in turns, on PostgreSQL over loopback. Both functions are built for release.

#![expect(clippy::expect_used, reason = "a tool fails with a message")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use lambda_bench::lambda::{Event, Sandbox};
use lambda_bench::servers::Postgres;
use tokio::time::Instant;

const PROGRAMS: [&str; 2] = ["with_static_pool", "with_reuse_db"];

#[tokio::main]
async fn main() {
    let starts = std::env::args().nth(1);
    let starts = starts.map_or(30, |starts| starts.parse().expect("a number of starts"));
    let programs = PROGRAMS.map(built);
    let server = Postgres::start().await;
    let mut times = PROGRAMS.map(|_| Vec::new());
    for _ in 0..starts {
        for (program, times) in programs.iter().zip(&mut times) {
            times.push(first_response(program, &server.url()).await);
        }
    }
    println!("{:>20} {:>9} {:>9} {:>9}", "", "least", "median", "mean");
    let [static_pool, reuse_db] = times.map(figures);
    for (name, figures) in PROGRAMS.iter().zip([static_pool, reuse_db]) {
        let [least, median, mean] = figures.map(|time| format!("{:.1}ms", time * 1000.0));
        println!("{name:>20} {least:>9} {median:>9} {mean:>9}");
    }
    let ratio = |n: usize| format!("{:.3}", reuse_db[n] / static_pool[n]);
    println!(
        "{:>20} {:>9} {:>9} {:>9}",
        "ratio",
        ratio(0),
        ratio(1),
        ratio(2)
    );
    println!("wanted: 1.05 or less");
}

/// Builds a function of this package for release.
fn built(program: &str) -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = std::env::current_exe().expect("a path");
    let target = target
        .ancestors()
        .nth(2)
        .expect("target/PROFILE/start_cost");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "--quiet", "--bin", program])
        .arg("--target-dir")
        .arg(target)
        .current_dir(package)
        .status()
        .expect("cargo starts");
    assert!(status.success(), "{program} is not built");
    target.join("release").join(program)
}

async fn first_response(program: &Path, url: &str) -> Duration {
    let begun = Instant::now();
    let sandbox = Sandbox::builder(program)
        .env("DATABASE_URL", url)
        .start()
        .await;
    sandbox.invoke(Event::get("/")).await.ok();
    let took = begun.elapsed();
    sandbox.kill().await;
    took
}

/// Returns the least, the median and the mean, in seconds.
fn figures(mut times: Vec<Duration>) -> [f64; 3] {
    times.sort();
    let seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
    let mean = seconds.iter().sum::<f64>() / seconds.len() as f64;
    [seconds[0], seconds[seconds.len() / 2], mean]
}
