//! A fleet on a server with room for all. A proxy of each sandbox counts the round trips.

use std::time::Duration;

use lambda_bench::lambda::{Event, Sandbox};
use lambda_bench::proxy::Proxy;
use tokio::time::sleep;

use super::counters::Counters;
use super::crowd;
use super::report::Report;
use super::selection::Selection;
use super::server::Scarce;
use super::stage::Stage;
use super::traffic::{End, Traffic};
use super::way::Way;
use crate::stress::random;

pub(super) const HEADER: &str = "| server | way | sandboxes | connections of each | load queries \
    of each | round trips nobody asked for, before the response | after the response |\n\
    |---|---|--:|--:|--:|--:|--:|";

/// The proxy's delay in each direction. A round trip takes longer than a response.
const DELAY: Duration = Duration::from_millis(30);

const WAYS: [Way; 3] = [Way::Connection, Way::Transaction, Way::Pool];

/// The most that one sandbox of the fleet had.
#[derive(Clone, Copy, Debug, Default)]
struct Most {
    connections: u64,
    load_queries: u64,
    /// The round trips before a response beyond the handler's and the health checks.
    before: u64,
    /// The round trips after a response beyond the usual ones, inspections and load queries.
    after: u64,
    /// The round trips beyond all of these, before or after a response.
    unexplained: u64,
}

pub(super) async fn run<S: Scarce>(stage: &mut Stage<S>, selection: Selection<'_>) -> Report {
    let mut report = Report::default();
    for way in selection.of(&WAYS) {
        let count = crowd::sandboxes(stage);
        let mut lives = Vec::new();
        for nth in 0..count {
            let proxy = Proxy::start(stage.server.address()).await;
            // The short form does not tell the work before a response from the work after it.
            if stage.is_long() {
                proxy.delay(DELAY);
            }
            let sandbox = stage.sandbox(nth, way, proxy.addr()).await;
            sandbox.invoke(Event::get("/nothing")).await.ok();
            lives.push((sandbox, proxy));
        }
        let traffic = crowd::traffic(stage, way);
        let lives: Vec<_> = lives
            .into_iter()
            .map(|(sandbox, proxy)| tokio::spawn(live(sandbox, proxy, traffic)))
            .collect();
        let mut most = Most::default();
        for life in lives {
            most = most.max(life.await.expect("each invocation is served"));
        }
        stage.clear().await;
        report.row(&[
            &S::NAME,
            &way.name(),
            &count,
            &most.connections,
            &most.load_queries,
            &most.before,
            &most.after,
        ]);
        check(&mut report, stage, way, most);
    }
    report
}

fn check<S: Scarce>(report: &mut Report, stage: &Stage<S>, way: Way, most: Most) {
    let of = format!("roomy, {}, {}", S::NAME, way.name());
    let mut promise = |is_kept, promise| {
        report.promise(is_kept, format!("{of}: {promise}: {most:?}"));
    };
    promise(most.connections == 1, "one connection of each sandbox");
    // On a busy machine, the traffic lasts until the next load query is due.
    let load_queries = if stage.is_long() { 1 } else { 2 };
    promise(
        most.load_queries <= load_queries,
        "the first load query only",
    );
    // The first inspection of a server takes two more.
    promise(most.unexplained <= 2, "no round trip without a reason");
    if stage.is_long() {
        promise(most.before == 0, "no round trip before a response");
    }
}

/// Returns the round trips of a warm invocation before and after its response, and those of an
/// inspection.
fn usual(way: Way) -> (u64, u64, u64) {
    match way {
        // BEGIN, the statement and COMMIT; the end of what the handler left open.
        Way::Transaction => (3, 1, 1),
        // sqlx pings each connection that is released, also after an inspection.
        Way::Pool => (1, 1, 2),
        _ => (1, 0, 1),
    }
}

async fn live(sandbox: Sandbox, proxy: Proxy, traffic: Traffic) -> Most {
    let End::Invocations(invocations) = traffic.end else {
        panic!("the traffic has a number of invocations");
    };
    let (usual_before, usual_after, inspection) = usual(traffic.way);
    let mut counters = Counters::default();
    let (mut before, mut after) = (0, 0);
    for nth in 0..invocations {
        sleep(traffic.gap.mul_f64(random())).await;
        let start = proxy.round_trips();
        let answer = sandbox.invoke(traffic.event()).await;
        let response = proxy.round_trips();
        while !sandbox.is_frozen() {
            sleep(Duration::from_millis(1)).await;
        }
        let freeze = proxy.round_trips();
        let now = Counters::of(&answer);
        // The first invocation connects and prepares the statement.
        if nth > 0 {
            let explained = usual_before + (now - counters).checked;
            before += (response - start).saturating_sub(explained);
        }
        after += freeze - response;
        counters = now;
    }
    let counters = Counters::of(&sandbox.invoke(Event::get("/nothing")).await);
    assert_eq!(sandbox.starts(), 1, "a deadline passed");
    let calls = invocations as u64;
    let explained = calls * usual_after + counters.inspected * inspection + counters.load_queries;
    Most {
        connections: proxy.connections().max(counters.opened),
        load_queries: counters.load_queries,
        before,
        after: after.saturating_sub(explained),
        unexplained: (before + after).saturating_sub(explained),
    }
}

impl Most {
    fn max(self, other: Self) -> Self {
        Self {
            connections: self.connections.max(other.connections),
            load_queries: self.load_queries.max(other.load_queries),
            before: self.before.max(other.before),
            after: self.after.max(other.after),
            unexplained: self.unexplained.max(other.unexplained),
        }
    }
}
