//! A fleet beside an application that holds most connections for good.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::another::Another;
use super::crowd;
use super::figures::Figures;
use super::report::{Report, ms, percent, seconds};
use super::selection::Selection;
use super::server::Scarce;
use super::stage::Stage;
use super::traffic::{End, Traffic};
use super::way::Way;

pub(super) const HEADER: &str = "| server | way | the application comes | has its connections \
    after | served | p50 | p99 | longest | never served | opened | load queries, busiest second \
    | kept |\n\
    |---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|";

const WAYS: [Way; 3] = [Way::Connection, Way::Transaction, Way::Pool];

/// The times at which the application comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comes {
    First,
    Later,
}

pub(super) async fn run<S: Scarce>(stage: &mut Stage<S>, selection: Selection<'_>) -> Report {
    let mut report = Report::default();
    for way in selection.of(&WAYS) {
        // The short form has no time for all.
        if stage.is_long() || way == Way::Connection {
            one_way(&mut report, stage, way, Comes::First).await;
            one_way(&mut report, stage, way, Comes::Later).await;
        }
    }
    report
}

/// Returns the connections that the application holds.
pub(super) fn taken<S: Scarce>(stage: &Stage<S>) -> usize {
    stage.slots - 3
}

/// A statement of 20 ms now and then, for some time.
pub(super) fn traffic<S: Scarce>(stage: &Stage<S>, way: Way, time: Duration) -> Traffic {
    let gap = if stage.is_long() { 3_000 } else { 2_000 };
    Traffic {
        way,
        statement: Duration::from_millis(20),
        gap: Duration::from_millis(gap),
        end: End::Time(time),
    }
}

async fn one_way<S: Scarce>(report: &mut Report, stage: &mut Stage<S>, way: Way, comes: Comes) {
    // The fleet needs some time to make room for an application that comes later.
    let (time, later) = match (stage.is_long(), comes) {
        (true, _) => (40, 10),
        (false, Comes::First) => (8, 3),
        (false, Comes::Later) => (12, 3),
    };
    let (time, later) = (Duration::from_secs(time), Duration::from_secs(later));
    let (url, count) = (stage.server.url_of_another(), taken(stage));
    let mut another = Another::<S::Connection>::new();
    if comes == Comes::First {
        another.take(&url, count).await;
    }
    let traffic = traffic(stage, way, time);
    let sandboxes = crowd::sandboxes(stage);
    let (fleet, waited) = tokio::join!(stage.fleet(sandboxes, traffic), async {
        sleep(later).await;
        let begun = Instant::now();
        let _ = timeout(time, another.take(&url, count)).await;
        begun.elapsed()
    });
    let figures = Figures::of(&fleet);
    drop(fleet);
    stage.clear().await;
    let holds = another.holds();
    another.close().await;

    let when = match comes {
        Comes::First => "first".into(),
        Comes::Later => format!("after {later:?}"),
    };
    report.row(&[
        &S::NAME,
        &way.name(),
        &when,
        &seconds(waited),
        &percent(figures.share()),
        &ms(figures.within(0.5)),
        &ms(figures.within(0.99)),
        &seconds(figures.longest),
        &figures.never,
        &figures.opened,
        &figures.load_queries(),
        &figures.kept,
    ]);
    let of = format!("second application ({when}), {}, {}", S::NAME, way.name());
    report.refuses_in_time(&of, stage.length, &figures);
    report.promise(
        holds == count,
        format!("{of}: the application holds {holds}"),
    );
    // In the short form, the fleet has no time to forget the application's arrival.
    let served = if stage.is_long() { 0.99 } else { 0.75 };
    report.promise(
        figures.share() >= served,
        format!("{of}: {} served", percent(figures.share())),
    );
}
