//! Fleets of sandboxes beside a server with fewer connections.

use std::time::Duration;

use lambda_bench::lambda::{Event, Outcome};
use reuse_db_tests::stress::{Programs, random};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Length;
use crate::figures::Spread;
use crate::output::Output;
use crate::peers::Peers;
use crate::stage::{Database, Place, Stage};
use crate::ways::{self, Way};

/// The connections of the server.
const SLOTS: usize = 17;

/// The traffic of each sandbox.
#[derive(Clone, Copy, Debug)]
struct Traffic {
    invocations: usize,
    /// The longest pause before an invocation.
    gap: Duration,
}

/// The invocations of a fleet.
#[derive(Default)]
struct Measured {
    served: Vec<Duration>,
    /// The invocations that were answered by a 503.
    refused: usize,
    failed: usize,
    /// The sessions of the frozen sandboxes at the end.
    sessions: usize,
}

pub(crate) async fn run(length: Length, output: &mut Output) {
    let (sizes, databases, traffic): (&[usize], &[Database], Traffic) = match length {
        Length::Quick => (
            &[20],
            &[Database::Postgres],
            Traffic {
                invocations: 2,
                gap: Duration::from_millis(300),
            },
        ),
        Length::Long => (
            &[10, 20, 40, 80],
            &[Database::Postgres, Database::Mysql],
            Traffic {
                invocations: 8,
                gap: Duration::from_secs(2),
            },
        ),
    };
    let programs = Programs::built_of(env!("CARGO_PKG_NAME"), &["warm_function"]);
    let peers = Peers::installed();
    output.heading("Fleets");
    output.text(&format!(
        "Sandboxes beside a server with {SLOTS} connections: {} invocations of each, with a \
         statement of 20 ms, after pauses of 0 to {} s, and a time-out of {} s. Times of those \
         that were served, in milliseconds. *Kept* are the sessions of the frozen sandboxes at \
         the end.",
        traffic.invocations,
        traffic.gap.as_secs_f64(),
        crate::stage::TIME_OUT.as_secs(),
    ));
    for &database in databases {
        let mut rows = vec![
            "| sandboxes | way | served | 503 | failed | p50 | p99 | kept |".to_owned(),
            "|--:|---|--:|--:|--:|--:|--:|--:|".to_owned(),
        ];
        let mut name = "";
        for &size in sizes {
            for way in [
                "connection",
                "static_pool",
                "connect_each",
                peers.name(database),
            ] {
                let place = Place::start_with_slots(database, SLOTS).await;
                output.server(&place.version().await);
                name = place.words().0;
                let selects = |one: &Way| one.variable == way;
                let mut fleet = Vec::new();
                for _ in 0..size {
                    fleet.extend(ways::start_all(&place, &programs, &peers, selects).await);
                }
                let (title, is_ours) = (fleet[0].0.name, fleet[0].0.round_trips.is_some());
                let fleet = fleet.into_iter().map(|(_, stage)| stage).collect();
                let measured = measure(fleet, traffic).await;
                let calls = size * traffic.invocations;
                let share = measured.served.len() as f64 / calls as f64;
                if length == Length::Quick && is_ours {
                    assert_eq!(measured.failed, 0, "{title} on {name}: {share}");
                }
                rows.push(row(size, title, share, measured));
            }
        }
        output.text(&format!("### {name}"));
        output.text(&rows.join("\n"));
    }
}

async fn measure(fleet: Vec<Stage>, traffic: Traffic) -> Measured {
    let mut tasks = JoinSet::new();
    for stage in fleet {
        tasks.spawn(async move {
            let mut own = Measured::default();
            for _ in 0..traffic.invocations {
                sleep(traffic.gap.mul_f64(random())).await;
                let answer = stage.sandbox.invoke(Event::get("/?n=0")).await;
                match &answer.outcome {
                    Outcome::Http(http) if http.status == 200 => own.served.push(answer.took),
                    Outcome::Http(http) if http.status == 503 => own.refused += 1,
                    _ => own.failed += 1,
                }
            }
            (own, stage)
        });
    }
    let mut all = Measured::default();
    let mut stages = Vec::new();
    for (own, stage) in tasks.join_all().await {
        all.served.extend(own.served);
        all.refused += own.refused;
        all.failed += own.failed;
        stages.push(stage);
    }
    // The last work after a response.
    sleep(Duration::from_secs(1)).await;
    all.sessions = stages.iter().map(|stage| stage.proxy.open()).sum();
    all
}

fn row(size: usize, title: &str, share: f64, measured: Measured) -> String {
    let Measured {
        served,
        refused,
        failed,
        sessions,
    } = measured;
    let (p50, p99) = match served.is_empty() {
        true => ("–".to_owned(), "–".to_owned()),
        false => {
            let spread = Spread::of(served);
            let ms = |time: f64| format!("{time:.1}");
            (ms(spread.median), ms(spread.ninety_ninth))
        }
    };
    let share = 100.0 * share;
    format!(
        "| {size} | {title} | {share:.1} % | {refused} | {failed} | {p50} | {p99} | {sessions} |"
    )
}
