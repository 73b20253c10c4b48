//! Warm invocations, frozen in between: time, round trips and sessions of each way.

use std::fmt::Write as _;
use std::time::Duration;

use reuse_db_tests::stress::Programs;

use crate::Length;
use crate::chart::{self, Bar, Longest};
use crate::figures::Spread;
use crate::output::Output;
use crate::peers::Peers;
use crate::stage::{Database, Place, Stage};
use crate::ways::{self, Way};

/// The conditions of a measurement.
#[derive(Clone, Copy, Debug)]
struct Conditions {
    statements: u64,
    /// The round trip that the proxy adds.
    added: Duration,
}

/// The invocations of a way under some conditions.
struct Measured {
    way: Way,
    spread: Spread,
    /// The round trips of an invocation: the mean, and the median.
    round_trips: (f64, u64),
    sessions: usize,
}

pub(crate) async fn run(length: Length, output: &mut Output) {
    let (rounds, wires): (usize, &[bool]) = match length {
        Length::Quick => (4, &[false]),
        Length::Long => (60, &[false, true]),
    };
    let programs = Programs::built_of(env!("CARGO_PKG_NAME"), &["warm_function"]);
    let peers = Peers::installed();
    let mut csv = "server,wire,statements,added_ms,way,p10_ms,p50_ms,p90_ms,p99_ms,round_trips,\
                   sessions\n"
        .to_owned();
    output.heading("Warm invocations");
    output.text(&format!(
        "Time from the event to the end of the response, in milliseconds: median, and in brackets \
         the tenth and the ninetieth percentile of {rounds} invocations, in turns. The sandbox is \
         frozen in between. Each invocation runs three statements, one after the other. The ratio \
         is that to the limit: a bare connection, or a transaction on one."
    ));
    for database in [Database::Postgres, Database::Mysql] {
        for &is_over_tls in wires {
            let place = Place::start(database, is_over_tls).await;
            output.server(&place.version().await);
            let ways = ways::start_all(&place, &programs, &peers, |_| true).await;
            let mut columns = Vec::new();
            for conditions in conditions(length) {
                let measured = measure(&ways, conditions, rounds).await;
                check(&place, conditions, &measured);
                write_csv(&mut csv, &place, conditions, &measured);
                if conditions.statements == 3 {
                    columns.push((conditions, measured));
                }
            }
            output.text(&format!("### {}", place.name()));
            table(output, &columns);
            if database == Database::Postgres && is_over_tls {
                draw(output, &columns);
            }
        }
    }
    output.file("warm.csv", &csv);
}

fn conditions(length: Length) -> Vec<Conditions> {
    let (statements, added): (&[u64], &[u64]) = match length {
        Length::Quick => (&[3], &[0, 500]),
        Length::Long => (&[1, 3, 10], &[0, 500, 2_000]),
    };
    let all = statements.iter().flat_map(|&statements| {
        added.iter().map(move |&added| Conditions {
            statements,
            added: Duration::from_micros(added),
        })
    });
    all.collect()
}

async fn measure(ways: &[(Way, Stage)], conditions: Conditions, rounds: usize) -> Vec<Measured> {
    let path = format!("/?n={}", conditions.statements);
    let mut all: Vec<(Vec<Duration>, Vec<u64>)> = vec![Default::default(); ways.len()];
    for (_, stage) in ways {
        stage.proxy.delay(conditions.added / 2);
        // The first successes of a static are inspected.
        for _ in 0..4 {
            stage.invoke(&path).await;
        }
    }
    for round in 0..rounds {
        for nth in 0..ways.len() {
            // Each way comes first in some rounds, and last in others.
            let nth = (nth + round) % ways.len();
            let (answer, round_trips) = ways[nth].1.invoke(&path).await;
            all[nth].0.push(answer.took);
            all[nth].1.push(round_trips);
        }
    }
    let measured = ways.iter().zip(all);
    let measured = measured.map(|((way, stage), (times, mut trips))| {
        trips.sort_unstable();
        let mean = trips.iter().sum::<u64>() as f64 / trips.len() as f64;
        Measured {
            way: *way,
            spread: Spread::of(times),
            round_trips: (mean, trips[trips.len() / 2]),
            sessions: stage.proxy.open(),
        }
    });
    measured.collect()
}

/// Checks what does not depend on the machine: the round trips and the sessions.
fn check(place: &Place, conditions: Conditions, measured: &[Measured]) {
    for one in measured {
        let Some(expected) = one.way.round_trips else {
            continue;
        };
        let what = format!("{}, {conditions:?}, {}", place.name(), one.way.name);
        let expected = expected(conditions.statements);
        assert!(
            expected.contains(&one.round_trips.1),
            "round trips: {what}: {:?}",
            one.round_trips
        );
        // A pool may open another connection while sqlx pings the one that returns.
        assert!(
            one.sessions == 1 || one.way.variable == "pool",
            "sessions: {what}"
        );
    }
}

fn limit_of<'a>(one: &Measured, all: &'a [Measured]) -> &'a Measured {
    let limit = all.iter().find(|limit| limit.way.name == one.way.limit);
    limit.expect("each way has a limit")
}

fn table(output: &mut Output, columns: &[(Conditions, Vec<Measured>)]) {
    let mut head = "| way | round trips | sessions |".to_owned();
    let mut rule = "|---|--:|--:|".to_owned();
    for (conditions, _) in columns {
        let added = millis(conditions.added);
        let _ = write!(head, " {added} ms added | ratio |");
        rule += "--:|--:|";
    }
    let mut rows = vec![head, rule];
    for nth in 0..columns[0].1.len() {
        let first = &columns[0].1[nth];
        let (mean, _) = first.round_trips;
        let mut row = format!("| {} | {mean:.2} | {} |", first.way.name, first.sessions);
        for (_, measured) in columns {
            let one = &measured[nth];
            let ratio = one.spread.median / limit_of(one, measured).spread.median;
            let _ = write!(row, " {} | {ratio:.2} |", one.spread);
        }
        rows.push(row);
    }
    output.text(&rows.join("\n"));
}

fn draw(output: &mut Output, columns: &[(Conditions, Vec<Measured>)]) {
    let Some((_, measured)) = columns
        .iter()
        .find(|(conditions, _)| !conditions.added.is_zero())
    else {
        return;
    };
    let bars: Vec<Bar> = measured
        .iter()
        .map(|one| Bar {
            label: one.way.name.replace('`', ""),
            value: one.spread.median,
            is_ours: one.way.round_trips.is_some(),
        })
        .collect();
    let title = "A warm invocation with three statements: PostgreSQL, TLS, 0.5 ms round trip";
    let path = output.chart("warm");
    chart::bars(&path, title, Longest::Cut, &bars);
}

fn write_csv(csv: &mut String, place: &Place, conditions: Conditions, measured: &[Measured]) {
    for one in measured {
        let Spread {
            median,
            tenth,
            ninetieth,
            ninety_ninth,
        } = one.spread;
        let (database, wire) = place.words();
        let _ = writeln!(
            csv,
            "{database},{wire},{},{},{},{tenth:.3},{median:.3},{ninetieth:.3},{ninety_ninth:.3},\
             {:.2},{}",
            conditions.statements,
            millis(conditions.added),
            one.way.variable,
            one.round_trips.0,
            one.sessions,
        );
    }
}

fn millis(time: Duration) -> f64 {
    1_000.0 * time.as_secs_f64()
}
