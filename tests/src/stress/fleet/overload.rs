//! More work than the connections can do.

use std::time::Duration;

use super::figures::Figures;
use super::report::{Report, percent, seconds};
use super::selection::Selection;
use super::server::Scarce;
use super::stage::{Fleet, Stage};
use super::traffic::{End, Traffic};
use super::way::Way;

pub(super) const HEADER: &str = "| server | way | served | of what the connections can serve | 503 \
    | served of a sandbox: least, median, most | longest | attempts to connect in a second \
    | opened | load queries, busiest second |\n\
    |---|---|--:|--:|--:|--:|--:|--:|--:|--:|";

const STATEMENT: Duration = Duration::from_millis(300);

const WAYS: [Way; 3] = [Way::Connection, Way::Transaction, Way::Pool];

pub(super) async fn run<S: Scarce>(stage: &mut Stage<S>, selection: Selection<'_>) -> Report {
    let mut report = Report::default();
    let time = Duration::from_secs(if stage.is_long() { 20 } else { 6 });
    let sandboxes = if stage.is_long() { 40 } else { 16 };
    for way in selection.of(&WAYS) {
        // The short form has no time for all.
        if stage.is_long() || way == Way::Connection {
            let traffic = Traffic {
                way,
                statement: STATEMENT,
                gap: Duration::ZERO,
                end: End::Time(time),
            };
            let fleet = stage.fleet(sandboxes, traffic).await;
            conclude(&mut report, stage, way, &fleet, time);
            drop(fleet);
            stage.clear().await;
        }
    }
    report
}

fn conclude<S: Scarce>(
    report: &mut Report,
    stage: &Stage<S>,
    way: Way,
    fleet: &Fleet,
    time: Duration,
) {
    let figures = Figures::of(fleet);
    let mut of_each: Vec<_> = fleet
        .lives
        .iter()
        .map(|life| life.served().filter(|(call, _)| call.at <= time).count())
        .collect();
    of_each.sort();
    let served: usize = of_each.iter().sum();
    let capacity = stage.slots as f64 * time.as_secs_f64() / STATEMENT.as_secs_f64();
    let share = served as f64 / capacity;
    let (least, median) = (of_each[0], of_each[of_each.len() / 2]);
    let most = of_each[of_each.len() - 1];
    let attempts = figures.counters.attempts() as f64 / time.as_secs_f64();
    report.row(&[
        &S::NAME,
        &way.name(),
        &served,
        &percent(share),
        &figures.refused,
        &format!("{least}, {median}, {most}"),
        &seconds(figures.longest),
        &format!("{attempts:.0}"),
        &figures.opened,
        &figures.load_queries(),
    ]);

    let of = format!("overload, {}, {}", S::NAME, way.name());
    report.refuses_in_time(&of, stage.length, &figures);
    let (least_share, part_of_median) = if stage.is_long() { (0.9, 3) } else { (0.5, 10) };
    report.promise(
        share >= least_share,
        format!("{of}: {} of what the connections can serve", percent(share)),
    );
    report.promise(
        least * part_of_median >= median,
        format!("{of}: a sandbox was served {least} times, half of them {median} times"),
    );
}
