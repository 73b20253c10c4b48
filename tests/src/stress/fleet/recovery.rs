//! A fleet beside an application that frees its connections.

use std::time::Duration;

use tokio::time::sleep;

use super::another::Another;
use super::crowd;
use super::figures::Figures;
use super::report::{Report, percent};
use super::second_application::{taken, traffic};
use super::selection::Selection;
use super::server::Scarce;
use super::stage::Stage;
use super::way::Way;

pub(super) const HEADER: &str = "| server | way | served | sessions while the application is there \
    | reaches the share after | sessions at the end, least and most of 2 s | kept |\n\
    |---|---|--:|--:|--:|--:|--:|";

/// The time in which the fleet must have its connections again.
const WITHIN: Duration = Duration::from_secs(10);

const WAYS: [Way; 3] = [Way::Connection, Way::Transaction, Way::Pool];

pub(super) async fn run<S: Scarce>(stage: &mut Stage<S>, selection: Selection<'_>) -> Report {
    let mut report = Report::default();
    for way in selection.of(&WAYS) {
        // The short form has no time for all.
        if stage.is_long() || way == Way::Connection {
            one_way(&mut report, stage, way).await;
            stage.clear().await;
        }
    }
    report
}

async fn one_way<S: Scarce>(report: &mut Report, stage: &mut Stage<S>, way: Way) {
    let before = Duration::from_secs(if stage.is_long() { 10 } else { 3 });
    let mut another = Another::<S::Connection>::new();
    another
        .take(&stage.server.url_of_another(), taken(stage))
        .await;
    let traffic = traffic(stage, way, before + WITHIN);
    let sandboxes = crowd::sandboxes(stage);
    let (fleet, ()) = tokio::join!(stage.fleet(sandboxes, traffic), async {
        sleep(before).await;
        another.close().await;
    });
    let figures = Figures::of(&fleet);

    // Sandboxes that are busy at the end may not keep their connections.
    let share = stage.slots * 4 / 5;
    let enough = share.saturating_sub(2);
    let between = |from: Duration, to: Duration| {
        let sessions = fleet.sessions.iter();
        sessions.filter(move |(at, _)| (from..to).contains(at))
    };
    let with_another = between(Duration::ZERO, before).map(|(_, count)| *count);
    let reached = between(before, Duration::MAX)
        .find(|(_, count)| *count >= enough)
        .map_or("never".into(), |(at, _)| {
            format!("{:.2} s", (*at - before).as_secs_f64())
        });
    let end = before + WITHIN;
    let last: Vec<_> = between(end - Duration::from_secs(2), end)
        .map(|(_, count)| *count)
        .collect();
    let (least, most) = (last.iter().min(), last.iter().max());
    report.row(&[
        &S::NAME,
        &way.name(),
        &percent(figures.share()),
        &with_another.max().unwrap_or(0),
        &reached,
        &format!("{}, {}", least.unwrap_or(&0), most.unwrap_or(&0)),
        &figures.kept,
    ]);
    let of = format!("recovery, {}, {}", S::NAME, way.name());
    report.refuses_in_time(&of, stage.length, &figures);
    let (kept, enough) = (
        figures.kept,
        if stage.is_long() { enough } else { share / 2 },
    );
    report.promise(
        kept >= enough,
        format!("{of}: {kept} connections kept, the share is {share}"),
    );
}
