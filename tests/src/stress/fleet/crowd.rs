//! Each sandbox is invoked again and again, with random gaps.

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::server::Scarce;
use super::sockets::Watch;
use super::{Programs, Scale, ends_after, name};
use crate::lambda::{Event, Sandbox};
use crate::stress::random;

/// The default of Lambda.
const TIMEOUT: Duration = Duration::from_secs(3);
/// The longest gap between two invocations.
const GAP: Duration = Duration::from_secs(3);

/// What one sandbox has met.
struct Life {
    /// Frozen, and with the connection that it has, until all have finished.
    sandbox: Sandbox,
    refused: usize,
    longest: Duration,
    first_success: Option<Duration>,
}

pub(super) async fn run<S: Scarce>(
    programs: &Programs,
    scale: Scale,
    path: &'static str,
) -> String {
    let server = S::with(scale.slots).await;
    let mut sandboxes = Vec::new();
    for _ in 0..scale.sandboxes {
        sandboxes.push(start(programs.path("fleet"), &server.url(), TIMEOUT).await);
    }
    // Those that have not had an invocation are not initialized: not a part of what is measured.
    for sandbox in &sandboxes {
        sandbox.invoke(Event::get("/nothing")).await.ok();
    }
    let pids = sandboxes.iter().map(Sandbox::pid).collect();
    let watch = Watch::start(pids, server.port());
    let lives: Vec<_> = sandboxes
        .into_iter()
        .map(|sandbox| tokio::spawn(live(sandbox, scale.invocations, path)))
        .collect();
    let mut met = Vec::new();
    for life in lives {
        met.push(life.await.expect("each failure is a 503 in time"));
    }
    let most = watch.most();
    assert_eq!(most, 1, "connections of a process");
    row::<S>(scale, path, most, &met)
}

pub(super) async fn start(program: PathBuf, url: &str, timeout: Duration) -> Sandbox {
    Sandbox::builder(program)
        .env("DATABASE_URL", url)
        .timeout(timeout)
        .start()
        .await
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
        // It is frozen for most of it.
        sleep(GAP.mul_f64(random())).await;
        let answer = life.sandbox.invoke(Event::get(path)).await;
        match answer.status() {
            503 => life.refused += 1,
            200 => _ = life.first_success.get_or_insert(begun.elapsed()),
            _ => panic!("neither an answer nor a refusal: {answer:?}"),
        }
        life.longest = life.longest.max(answer.took);
    }
    assert_eq!(life.sandbox.starts(), 1, "no deadline passed");
    life
}

fn row<S: Scarce>(scale: Scale, path: &str, most: usize, met: &[Life]) -> String {
    let all = scale.sandboxes * scale.invocations;
    let refused: usize = met.iter().map(|life| life.refused).sum();
    let longest = met
        .iter()
        .map(|life| life.longest)
        .max()
        .unwrap_or_default();
    let mut first: Vec<Duration> = met.iter().filter_map(|life| life.first_success).collect();
    first.sort();
    let at = |nth: usize| {
        first
            .get(nth)
            .map_or("–".into(), |time| format!("{:.2} s", time.as_secs_f64()))
    };
    let times = [0, first.len() / 2, first.len().saturating_sub(1)]
        .map(at)
        .join(", ");
    format!(
        "| {} | {} | {} / {} | {all} | {refused} ({:.1} %) | {longest:.2?} | {times} | {} | {most} |\n",
        name::<S>(),
        ends_after(path),
        scale.sandboxes,
        scale.slots,
        100.0 * refused as f64 / all as f64,
        met.len() - first.len(),
    )
}
