//! More sandboxes than connections. Each sandbox is invoked now and then, at random.

use std::time::Duration;

use super::figures::Figures;
use super::report::{Report, ms, percent, seconds};
use super::selection::Selection;
use super::server::Scarce;
use super::stage::Stage;
use super::traffic::{End, Traffic};
use super::way::Way;

pub(super) const HEADER: &str = "| server | way | served | p50 | p95 | p99 | longest \
    | never served | last first success | opened | load queries, busiest second | shed | kept |\n\
    |---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|";

/// The resolution of a time that a client measures.
const RESOLUTION: Duration = Duration::from_millis(1);

/// `Each` comes first: the others are compared with it.
const WAYS: [Way; 7] = [
    Way::Each,
    Way::Static,
    Way::Connection,
    Way::Transaction,
    Way::Pool,
    Way::Lease,
    Way::Any,
];

pub(super) async fn run<S: Scarce>(stage: &mut Stage<S>, selection: Selection<'_>) -> Report {
    let mut report = Report::default();
    let mut each = None;
    for way in selection.of(&WAYS) {
        // Without a connection, the static pool waits for Lambda's time-out.
        if way == Way::Static && !stage.is_long() {
            continue;
        }
        let figures = Figures::of(&stage.fleet(sandboxes(stage), traffic(stage, way)).await);
        stage.clear().await;
        add_row::<S>(&mut report, way, &figures);
        match way {
            Way::Each => each = Some(figures.within(0.5)),
            Way::Static => {}
            _ => check(&mut report, stage, way, &figures, each),
        }
    }
    report
}

/// The number of sandboxes of a fleet that is too large for the server.
pub(super) fn sandboxes<S: Scarce>(stage: &Stage<S>) -> usize {
    if stage.is_long() { 40 } else { 14 }
}

/// A statement of 20 ms now and then.
pub(super) fn traffic<S: Scarce>(stage: &Stage<S>, way: Way) -> Traffic {
    let is_brief = matches!(way, Way::Lease | Way::Any);
    let (invocations, gap) = match (stage.is_long(), is_brief) {
        (true, false) => (25, 3_000),
        (true, true) => (5, 3_000),
        (false, _) => (3, 1_000),
    };
    Traffic {
        way,
        statement: Duration::from_millis(20),
        gap: Duration::from_millis(gap),
        end: End::Invocations(invocations),
    }
}

fn check<S: Scarce>(
    report: &mut Report,
    stage: &Stage<S>,
    way: Way,
    figures: &Figures,
    each: Option<Duration>,
) {
    let of = format!("crowd, {}, {}", S::NAME, way.name());
    report.refuses_in_time(&of, stage.length, figures);
    let (never, most) = (figures.never, figures.most);
    report.promise(never == 0, format!("{of}: {never} sandboxes never served"));
    // The sessions of an `AnyConnection` have no names by which the server's can be counted.
    let most_at_once = if way == Way::Any {
        most[0]
    } else {
        most[0].max(most[1])
    };
    report.promise(
        way == Way::Pool || most_at_once == 1 || (way == Way::Any && most_at_once == 0),
        format!("{of}: {most:?} connections of a process"),
    );
    let (served, first) = if stage.is_long() {
        (0.999, Duration::from_secs(5))
    } else {
        (0.95, Duration::from_secs(50))
    };
    report.promise(
        figures.share() >= served,
        format!("{of}: {} served", percent(figures.share())),
    );
    report.promise(
        figures.first < first,
        format!("{of}: last first success after {:?}", figures.first),
    );
    // All sandboxes are new at first, and each asks once.
    let asked = figures.in_ten_seconds;
    report.promise(
        asked < 200,
        format!("{of}: {asked} load queries in ten seconds"),
    );
    if stage.is_long() {
        let (half, p99) = (figures.within(0.5), figures.within(0.99));
        report.promise(
            each.is_none_or(|each| half <= each + RESOLUTION),
            format!("{of}: p50 of {half:?}, {each:?} with a connection for each invocation"),
        );
        report.promise(
            p99 < Duration::from_millis(300),
            format!("{of}: p99 of {p99:?}"),
        );
    }
}

fn add_row<S: Scarce>(report: &mut Report, way: Way, figures: &Figures) {
    report.row(&[
        &S::NAME,
        &way.name(),
        &percent(figures.share()),
        &ms(figures.within(0.5)),
        &ms(figures.within(0.95)),
        &ms(figures.within(0.99)),
        &seconds(figures.longest),
        &figures.never,
        &seconds(figures.first),
        &figures.opened,
        &figures.load_queries(),
        &figures.counters.shed,
        &figures.kept,
    ]);
}
