//! A fleet larger than the server's limit. Each sandbox is invoked several times, at random.

use std::time::Duration;

use lambda_bench::lambda::{Event, Sandbox};
use tokio::time::{Instant, sleep};

use super::server::Scarce;
use super::sessions::most_during;
use super::sockets::Watch;
use super::{Programs, Scale, ends_after, sandboxes};
use crate::stress::random;

/// The default time-out of Lambda.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The longest gap between two invocations.
const GAP: Duration = Duration::from_secs(3);

/// The figures of one sandbox.
struct Life {
    /// Kept frozen, with its connection, until all sandboxes have finished.
    sandbox: Sandbox,
    refused: usize,
    longest: Duration,
    first_success: Option<Duration>,
}

/// Returns a row of figures, and a row with the time to the first success of each sandbox.
pub(super) async fn run<S: Scarce>(
    programs: &Programs,
    server: &S,
    watcher: &mut S::Connection,
    scale: Scale,
    path: &'static str,
) -> (String, String) {
    let sandboxes = sandboxes(programs, server, scale.sandboxes, TIMEOUT).await;
    let watch = Watch::start(sandboxes.iter().map(Sandbox::pid).collect(), server.port());
    let lives: Vec<_> = sandboxes
        .into_iter()
        .map(|sandbox| tokio::spawn(live(sandbox, scale.invocations, path)))
        .collect();
    let ends = async {
        let mut met = Vec::new();
        for life in lives {
            met.push(life.await.expect("each failure is a 503 in time"));
        }
        met
    };
    let (met, of_server) = most_during::<S, _>(watcher, ends).await;
    let most = [watch.most(), of_server];
    assert_eq!(most, [1, 1], "most connections of a process");
    let mut first: Vec<Duration> = met.iter().filter_map(|life| life.first_success).collect();
    first.sort();
    let least = if path == "/short" {
        scale.served
    } else {
        scale.slots
    };
    assert!(
        first.len() >= least,
        "{} on {path}: only {} of {} sandboxes succeed, the last one after {:?}",
        S::NAME,
        first.len(),
        met.len(),
        first.last(),
    );
    (
        row::<S>(scale, path, most, &met, &first),
        times::<S>(path, &first),
    )
}

async fn live(sandbox: Sandbox, invocations: usize, path: &str) -> Life {
    let begun = Instant::now();
    let mut life = Life {
        sandbox,
        refused: 0,
        longest: Duration::ZERO,
        first_success: None,
    };
    for _ in 0..invocations {
        // The sandbox is frozen for most of the gap.
        sleep(GAP.mul_f64(random())).await;
        let answer = life.sandbox.invoke(Event::get(path)).await;
        match answer.status() {
            503 => life.refused += 1,
            200 => _ = life.first_success.get_or_insert(begun.elapsed()),
            _ => panic!("the status is neither 200 nor 503: {answer:?}"),
        }
        life.longest = life.longest.max(answer.took);
    }
    assert_eq!(life.sandbox.starts(), 1, "a deadline passed");
    life
}

fn row<S: Scarce>(
    scale: Scale,
    path: &str,
    most: [usize; 2],
    met: &[Life],
    first: &[Duration],
) -> String {
    let all = scale.sandboxes * scale.invocations;
    let refused: usize = met.iter().map(|life| life.refused).sum();
    let longest = met
        .iter()
        .map(|life| life.longest)
        .max()
        .unwrap_or_default();
    let at = |nth: usize| {
        first
            .get(nth)
            .map_or("–".into(), |time| format!("{:.2} s", time.as_secs_f64()))
    };
    let times = [0, first.len() / 2, first.len().saturating_sub(1)]
        .map(at)
        .join(", ");
    format!(
        "| {} | {} | {} / {} | {all} | {refused} ({:.1} %) | {longest:.2?} | {times} \
         | {} | {}, {} |\n",
        S::NAME,
        ends_after(path),
        scale.sandboxes,
        scale.slots,
        100.0 * refused as f64 / all as f64,
        met.len() - first.len(),
        most[0],
        most[1],
    )
}

fn times<S: Scarce>(path: &str, first: &[Duration]) -> String {
    let times: Vec<String> = first
        .iter()
        .map(|time| format!("{:.2}", time.as_secs_f64()))
        .collect();
    format!(
        "| {} | {} | {} |\n",
        S::NAME,
        ends_after(path),
        times.join(" ")
    )
}
