//! New sandboxes, after others have held every connection and are frozen.

use std::time::Duration;

use lambda_bench::lambda::Sandbox;
use lambda_bench::wait::until;
use tokio::time::Instant;

use super::report::{Report, ms};
use super::selection::Selection;
use super::server::Scarce;
use super::stage::{Stage, TIMEOUT};
use super::traffic::{Call, End, Traffic};
use super::way::Way;

pub(super) const HEADER: &str = "| server | way | frozen | of them with a connection | new | served \
    | longest |\n\
    |---|---|--:|--:|--:|--:|--:|";

/// Long enough for all sandboxes to connect before the first one has its answer.
const LONG_STATEMENT: Duration = Duration::from_millis(1_000);
const STATEMENT: Duration = Duration::from_millis(20);

const WAYS: [Way; 3] = [Way::Connection, Way::Transaction, Way::Pool];

pub(super) async fn run<S: Scarce>(stage: &mut Stage<S>, selection: Selection<'_>) -> Report {
    let mut report = Report::default();
    for way in selection.of(&WAYS) {
        one_way(&mut report, stage, way).await;
        stage.clear().await;
    }
    report
}

async fn one_way<S: Scarce>(report: &mut Report, stage: &mut Stage<S>, way: Way) {
    let (slots, new) = (stage.slots, if stage.is_long() { 10 } else { 4 });
    let mut frozen = stage.sandboxes(slots + new, way).await;
    let new = frozen.split_off(slots);
    let held = tokio::spawn(invoke_all(frozen, way, LONG_STATEMENT));
    until("a connection of each sandbox", async || {
        stage.sessions().await == slots
    })
    .await;
    let frozen = held.await.expect("an answer of each sandbox");
    for (sandbox, call) in &frozen {
        assert!(call.result.is_ok(), "{call:?}");
        sandbox.frozen().await;
    }
    let kept = stage.sessions().await;
    let calls: Vec<Call> = invoke_all(new, way, STATEMENT)
        .await
        .into_iter()
        .map(|(_, call)| call)
        .collect();
    let served = calls.iter().filter(|call| call.result.is_ok()).count();
    let longest = calls.iter().map(|call| call.took).max().unwrap_or_default();
    let new = calls.len();
    report.row(&[
        &S::NAME,
        &way.name(),
        &slots,
        &kept,
        &new,
        &served,
        &ms(longest),
    ]);
    let of = format!("frozen, {}, {}", S::NAME, way.name());
    let limit = if stage.is_long() {
        Duration::from_secs(1)
    } else {
        TIMEOUT
    };
    report.promise(served == new, format!("{of}: {served} of {new} served"));
    report.promise(longest < limit, format!("{of}: {longest:?}"));
}

/// Invokes all sandboxes at once.
async fn invoke_all(
    sandboxes: Vec<Sandbox>,
    way: Way,
    statement: Duration,
) -> Vec<(Sandbox, Call)> {
    let traffic = Traffic {
        way,
        statement,
        gap: Duration::ZERO,
        end: End::Invocations(1),
    };
    let begun = Instant::now();
    let invoked: Vec<_> = sandboxes
        .into_iter()
        .map(|sandbox| {
            tokio::spawn(async move {
                let answer = sandbox.invoke(traffic.event()).await;
                let call = Call::of(&answer, begun.elapsed());
                (sandbox, call)
            })
        })
        .collect();
    let mut answered = Vec::new();
    for invoked in invoked {
        answered.push(invoked.await.expect("an answer"));
    }
    answered
}
