//! The cost of a cold start: the time from the start of the process to its first response, with
//! `reuse_db::run` and the attribute, beside `lambda_http::run` and a pool in a static.
//!
//! The fourth way registers no extension, which `reuse_db::run` does for the sake of a shutdown.
//!
//! `cargo run --release -p reuse-db-tests --bin start_cost [-- STARTS]` starts each function 30
//! times by default, in turns, on PostgreSQL and MariaDB over loopback, plain and over TLS. Without
//! `--release`, the functions are debug builds, too.
//!
//! A second table shows the phases of a start. Its starts lead through a proxy, which sees the
//! round trips, and so they take a little longer.

#![expect(clippy::expect_used, reason = "a tool fails with a message")]

mod phases;
mod place;

use std::path::PathBuf;
use std::time::Duration;

use lambda_bench::lambda::{Event, Sandbox};
use lambda_bench::servers::{Mariadb, Postgres};
use reuse_db_tests::stress::Programs;
use tokio::time::Instant;

use self::phases::{PHASES, Phases};
use self::place::Place;

/// A program and the parameter of its handler.
#[derive(Clone, Debug)]
struct Way {
    name: &'static str,
    program: PathBuf,
    form: &'static str,
}

impl Way {
    /// Starts the function for a URL.
    async fn start(&self, url: &str) -> Sandbox {
        Sandbox::builder(&self.program)
            .env("DATABASE_URL", url)
            .env("FORM", self.form)
            .start()
            .await
    }
}

#[tokio::main]
async fn main() {
    let starts = std::env::args().nth(1);
    let starts = starts.map_or(30, |starts| starts.parse().expect("a number of starts"));
    let names = ["with_static_pool", "with_reuse_db"];
    let programs = Programs::built(&names);
    let [static_pool, reuse_db] = names.map(|name| programs.path(name));
    let ways = [
        ("static pool", static_pool, "pool"),
        ("&mut", reuse_db.clone(), "connection"),
        ("&Pool", reuse_db.clone(), "pool"),
        ("&mut, no extension", reuse_db, "without extension"),
    ];
    let ways = ways.map(|(name, program, form)| Way {
        name,
        program,
        form,
    });
    let places = [
        Place::start::<Postgres>("PostgreSQL", "").await,
        Place::start::<Postgres>("PostgreSQL", "tls").await,
        Place::start::<Mariadb>("MariaDB", "").await,
        Place::start::<Mariadb>("MariaDB", "tls").await,
    ];

    let mut times = places
        .each_ref()
        .map(|_| ways.each_ref().map(|_| Vec::new()));
    for _ in 0..starts {
        for (place, times) in places.iter().zip(&mut times) {
            for (way, times) in ways.iter().zip(times) {
                times.push(first_response(way, &place.url).await);
            }
        }
    }
    println!(
        "\nFrom the start of the process to its first response, median of {starts} starts, \
         and its part of the static pool's:\n"
    );
    let names = ways.each_ref().map(|way| way.name);
    println!("| server | {} |", names.join(" | "));
    println!("|---{}|", "|--:".repeat(names.len()));
    for (place, times) in places.iter().zip(times) {
        let times = times.map(median);
        let ratios = times.map(|time| format!("{time:.1} ms, {:.2}", time / times[0]));
        println!("| {} | {} |", place.name, ratios.join(" | "));
    }

    println!("\nThe phases of such a start in milliseconds, medians:\n");
    println!("| server | way | {} | sum |", PHASES.join(" | "));
    println!("|---|---|{}--:|", "--:|".repeat(PHASES.len()));
    let mut set_up = ways.each_ref().map(|_| 0);
    for place in &places {
        for (way, set_up) in ways.iter().zip(&mut set_up) {
            let mut all = Vec::new();
            for _ in 0..starts {
                let phases = Phases::of(way, place, *set_up).await;
                // A plain server shows the round trips of the set-up, which TLS hides.
                if !place.is_over_tls {
                    *set_up = phases.set_up;
                }
                all.push(phases.times);
            }
            let times: Vec<f64> = (0..PHASES.len())
                .map(|phase| median(all.iter().map(|times| times[phase]).collect()))
                .collect();
            let sum = times.iter().sum::<f64>();
            let cells: Vec<String> = times.iter().map(|time| format!("{time:.1}")).collect();
            println!(
                "| {} | {} | {} | {sum:.1} |",
                place.name,
                way.name,
                cells.join(" | ")
            );
        }
    }
}

async fn first_response(way: &Way, url: &str) -> f64 {
    let begun = Instant::now();
    let sandbox = way.start(url).await;
    sandbox.invoke(Event::get("/")).await.ok();
    let took = begun.elapsed();
    sandbox.kill().await;
    millis(took)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
