//! New sandboxes that are invoked while frozen ones hold every connection.

use std::sync::Arc;
use std::time::Duration;

use lambda_bench::lambda::{Event, Sandbox};
use lambda_bench::wait::until;

use super::server::Scarce;
use super::{Programs, Scale, ends_after, sandboxes};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Returns a row of figures.
pub(super) async fn run<S: Scarce>(
    programs: &Programs,
    server: &S,
    watcher: &mut S::Connection,
    scale: Scale,
    path: &'static str,
) -> String {
    let mut frozen = sandboxes(programs, server, scale.slots + scale.new, TIMEOUT).await;
    let new = frozen.split_off(scale.slots);
    let frozen: Vec<_> = frozen.into_iter().map(Arc::new).collect();
    // The server may end the first session before the last one begins.
    until("a connection of each sandbox", async || {
        take_one_each(&frozen, path).await;
        S::sessions(watcher).await.len() == scale.slots
    })
    .await;
    let arrivals: Vec<_> = new
        .into_iter()
        .map(|sandbox| {
            tokio::spawn(async move {
                let answer = sandbox.invoke(Event::get(path)).await;
                (answer.status(), answer.took)
            })
        })
        .collect();
    let (mut answered, mut refused, mut longest) = (0, 0, Duration::ZERO);
    for arrival in arrivals {
        let (status, took) = arrival.await.expect("an answer");
        longest = longest.max(took);
        match status {
            200 => answered += 1,
            503 => refused += 1,
            status => panic!("the status is neither 200 nor 503: {status}"),
        }
    }
    if path == "/short" {
        assert_eq!(
            (answered, refused),
            (scale.new, 0),
            "answered and refused, although the frozen sandboxes' sessions end"
        );
        assert!(longest < Duration::from_secs(5), "{longest:?}");
    } else {
        assert_eq!(
            (answered, refused),
            (0, scale.new),
            "answered and refused, while the frozen sandboxes keep their sessions"
        );
        assert!(longest < TIMEOUT, "{longest:?}");
    }
    format!(
        "| {} | {} | {} | {} | {answered} | {refused} | {longest:.2?} |\n",
        S::NAME,
        ends_after(path),
        scale.slots,
        scale.new,
    )
}

/// Invokes all sandboxes at once, so that they hold their connections at the same time.
async fn take_one_each(sandboxes: &[Arc<Sandbox>], path: &'static str) {
    let taken: Vec<_> = sandboxes
        .iter()
        .cloned()
        .map(|sandbox| tokio::spawn(async move { sandbox.invoke(Event::get(path)).await.status() }))
        .collect();
    for status in taken {
        assert_eq!(status.await.expect("an answer"), 200);
    }
    for sandbox in sandboxes {
        sandbox.frozen().await;
    }
}
