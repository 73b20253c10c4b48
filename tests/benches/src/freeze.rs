//! The first invocation after a freeze of more than a second, with a connection that is live, ended
//! or black-holed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use lambda_bench::lambda::{Event, Outcome};
use reuse_db_tests::function::LONG;
use reuse_db_tests::stress::Programs;

use crate::Length;
use crate::figures::Spread;
use crate::output::Output;
use crate::peers::Peers;
use crate::stage::{Database, Place, Stage};
use crate::ways::{self, Way};

/// The state of the connections after the freeze.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Live,
    Ended,
    BlackHole,
}

const STATES: [(State, &str); 3] = [
    (State::Live, "live"),
    (State::Ended, "ended by the server"),
    (State::BlackHole, "black hole"),
];

/// The invocations of a way in one state.
#[derive(Default)]
struct Measured {
    times: Vec<Duration>,
    /// The failures by their kind.
    failed: BTreeMap<String, usize>,
}

pub(crate) async fn run(length: Length, output: &mut Output) {
    let (rounds, wires): (usize, &[bool]) = match length {
        Length::Quick => (1, &[false]),
        Length::Long => (5, &[false, true]),
    };
    let programs = Programs::built_of(env!("CARGO_PKG_NAME"), &["warm_function"]);
    let peers = Peers::installed();
    output.heading("After a freeze");
    output.text(&format!(
        "The first invocation after a freeze of {} s, with one statement and a time-out of {} s: \
         milliseconds as above, of those that succeeded, and the failures, of {rounds} invocations.",
        LONG.as_secs_f64(),
        crate::stage::TIME_OUT.as_secs(),
    ));
    for database in [Database::Postgres, Database::Mysql] {
        for &is_over_tls in wires {
            let place = Place::start(database, is_over_tls).await;
            output.server(&place.version().await);
            let selects = |way: &Way| !way.variable.starts_with("held");
            let ways = ways::start_all(&place, &programs, &peers, selects).await;
            let mut columns = Vec::new();
            for (state, _) in STATES {
                columns.push(measure(&place, &ways, state, rounds).await);
            }
            output.text(&format!("### {}", place.name()));
            table(output, &ways, &columns);
            if length == Length::Quick {
                check(&ways, &columns);
            }
        }
    }
}

async fn measure(
    place: &Place,
    ways: &[(Way, Stage)],
    state: State,
    rounds: usize,
) -> Vec<Measured> {
    let mut all: Vec<Measured> = ways.iter().map(|_| Measured::default()).collect();
    for round in 0..rounds {
        for (_, stage) in ways {
            // A process that was replaced, or a peer that lost its connection, is warm after two.
            for _ in 0..2 {
                stage.sandbox.invoke(Event::get("/")).await;
                stage.sandbox.frozen().await;
            }
        }
        tokio::time::sleep(LONG).await;
        match state {
            State::Live => {}
            State::Ended => place.end_sessions().await,
            State::BlackHole => ways.iter().for_each(|(_, stage)| stage.proxy.black_hole()),
        }
        for nth in 0..ways.len() {
            // Each way comes first in some rounds: the first one meets cold caches.
            let nth = (nth + round) % ways.len();
            let ((_, stage), measured) = (&ways[nth], &mut all[nth]);
            let answer = stage.sandbox.invoke(Event::get("/")).await;
            let failure = match &answer.outcome {
                Outcome::Http(http) if http.status == 200 => None,
                Outcome::Http(http) => Some(format!("status {}", http.status)),
                Outcome::TimedOut => Some("time-out".to_owned()),
                Outcome::Failed(_) | Outcome::Payload(_) => Some("error".to_owned()),
                Outcome::Crashed(_) => Some("crash".to_owned()),
            };
            match failure {
                None => measured.times.push(answer.took),
                Some(kind) => *measured.failed.entry(kind).or_default() += 1,
            }
            // Lambda ends the process after a time-out.
            if matches!(answer.outcome, Outcome::Http(_) | Outcome::Failed(_)) {
                stage.sandbox.frozen().await;
            }
            stage.proxy.forget();
        }
    }
    all
}

/// Checks that no invocation of reuse-db fails.
fn check(ways: &[(Way, Stage)], columns: &[Vec<Measured>]) {
    for ((_, state), measured) in STATES.iter().zip(columns) {
        for ((way, _), measured) in ways.iter().zip(measured) {
            let failed = &measured.failed;
            let is_kept = way.round_trips.is_none() || failed.is_empty();
            assert!(is_kept, "{}, {state}: {failed:?}", way.name);
        }
    }
}

fn table(output: &mut Output, ways: &[(Way, Stage)], columns: &[Vec<Measured>]) {
    let names = STATES.map(|(_, name)| name);
    let mut rows = vec![
        format!("| way | {} |", names.join(" | ")),
        format!("|---{}|", "|--:".repeat(names.len())),
    ];
    for (nth, (way, _)) in ways.iter().enumerate() {
        let mut row = format!("| {} |", way.name);
        for measured in columns.iter().map(|measured| &measured[nth]) {
            if !measured.times.is_empty() {
                let _ = write!(row, " {}", Spread::of(measured.times.clone()));
            }
            for (kind, number) in &measured.failed {
                let _ = write!(row, " {number} × {kind}");
            }
            row += " |";
        }
        rows.push(row);
    }
    output.text(&rows.join("\n"));
}
