//! The cost of a cold start: the time from the start of the process to its first response, with
//! `reuse_db::run` and the attribute, beside `lambda_http::run` and a pool in a static.
//!
//! The fourth way registers no extension, which `reuse_db::run` does for the sake of a shutdown.
//!
//! A second table shows the phases of a start. Its starts lead through a proxy, which sees the
//! round trips, and so they take a little longer.

mod phases;
mod place;

use std::path::PathBuf;
use std::time::Duration;

use lambda_bench::lambda::{Event, Sandbox};
use lambda_bench::servers::{Mysql, Postgres};
use reuse_db_tests::stress::Programs;
use tokio::time::Instant;

use self::phases::{PHASES, Phases};
use self::place::Place;
use crate::Length;
use crate::chart::{self, Bar, Longest};
use crate::figures::Spread;
use crate::output::Output;

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

pub(crate) async fn run(length: Length, output: &mut Output) {
    let starts = match length {
        Length::Quick => 1,
        Length::Long => 30,
    };
    let names = ["with_static_pool", "with_reuse_db"];
    let programs = Programs::built(&names);
    let [static_pool, reuse_db] = names.map(|name| programs.path(name));
    let ways = [
        ("static pool", static_pool, "pool"),
        ("`&mut` connection", reuse_db.clone(), "connection"),
        ("`&Pool`", reuse_db.clone(), "pool"),
        ("`&mut`, no extension", reuse_db, "without extension"),
    ];
    let ways = ways.map(|(name, program, form)| Way {
        name,
        program,
        form,
    });
    let places = [
        Place::start::<Postgres>("PostgreSQL", "").await,
        Place::start::<Postgres>("PostgreSQL", "tls").await,
        Place::start::<Mysql>("MariaDB", "").await,
        Place::start::<Mysql>("MariaDB", "tls").await,
    ];
    output.heading("Cold start");
    times(&ways, &places, starts, output).await;
    phases(&ways, &places, starts, output).await;
}

async fn times(ways: &[Way; 4], places: &[Place; 4], starts: usize, output: &mut Output) {
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
    output.text(&format!(
        "From the start of the process to its first response, in milliseconds: median, and in \
         brackets the tenth and the ninetieth percentile of {starts} starts, in turns. The ratio \
         is that to the static pool."
    ));
    let names = ways.each_ref().map(|way| way.name);
    let mut rows = vec![
        format!("| server | {} |", names.join(" | ratio | ")),
        format!("|---|--:{}|", "|--:|--:".repeat(names.len() - 1)),
    ];
    for (place, times) in places.iter().zip(times) {
        let spreads = times.map(Spread::of);
        let all = spreads.iter().enumerate().map(|(nth, spread)| match nth {
            0 => spread.to_string(),
            _ => format!("{spread} | {:.2}", spread.median / spreads[0].median),
        });
        let all: Vec<String> = all.collect();
        rows.push(format!("| {} | {} |", place.name, all.join(" | ")));
        if place.is_postgres && place.is_over_tls {
            let bars: Vec<Bar> = ways
                .iter()
                .zip(spreads)
                .map(|(way, spread)| Bar {
                    label: way.name.replace('`', ""),
                    value: spread.median,
                    is_ours: way.name != ways[0].name,
                })
                .collect();
            let title = "A cold start: PostgreSQL over TLS";
            chart::bars(&output.chart("cold"), title, Longest::Full, &bars);
        }
    }
    output.text(&rows.join("\n"));
}

async fn phases(ways: &[Way; 4], places: &[Place; 4], starts: usize, output: &mut Output) {
    output.text("The phases of such a start in milliseconds, medians:");
    let mut rows = vec![
        format!("| server | way | {} | sum |", PHASES.join(" | ")),
        format!("|---|---|{}--:|", "--:|".repeat(PHASES.len())),
    ];
    let mut set_up = ways.each_ref().map(|_| 0);
    for place in places {
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
            rows.push(format!(
                "| {} | {} | {} | {sum:.1} |",
                place.name,
                way.name,
                cells.join(" | ")
            ));
        }
    }
    output.text(&rows.join("\n"));
}

async fn first_response(way: &Way, url: &str) -> Duration {
    let begun = Instant::now();
    let sandbox = way.start(url).await;
    sandbox.invoke(Event::get("/")).await.ok();
    let took = begun.elapsed();
    sandbox.kill().await;
    took
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
