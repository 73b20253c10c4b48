//! The tables of the long form.

use std::time::Duration;

use super::assert_few_queries;
use super::report::Report;
use super::scenario::Scenario;
use super::traffic::Traffic;

const SECOND: Duration = Duration::from_secs(1);

const FLEETS: [(usize, usize); 12] = [
    (100, 100),
    (100, 1_000),
    (300, 100),
    (1_000, 100),
    (1_000, 300),
    (1_000, 1_000),
    (1_000, 5_000),
    (3_000, 1_000),
    (5_000, 5_000),
    (10_000, 100),
    (10_000, 1_000),
    (10_000, 5_000),
];

#[test]
#[ignore = "long: run by the stress command"]
fn growth() {
    println!(
        "| traffic | sandboxes | slots | served (possible) | waited > 300 ms | reconnects/s \
         | rejected/s | first queries/s, most in 1 s (10 s) | later queries/s, mean, most in 1 s \
         (10 s) | open at the end |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    for traffic in [
        Traffic::Steady,
        Traffic::Spike,
        Traffic::Wave,
        Traffic::Quiet,
    ] {
        for (sandboxes, slots) in FLEETS {
            let scenario = Scenario::new(sandboxes, slots, traffic);
            let report = scenario.simulate();
            print_growth(scenario, &report);
            assert_few_queries(&report);
        }
    }
}

fn print_growth(scenario: Scenario, report: &Report) {
    let duration = scenario.traffic.duration();
    let half = duration / 2;
    let [reopened, rejected] = [&report.reopened, &report.rejected]
        .map(|rate| rate.total_since(half) as f64 / half.as_secs_f64());
    let (first, later) = (&report.first_queries, &report.later_queries);
    println!(
        "| {:?} | {} | {} | {:.2} % ({:.0} %) | {:.2} % | {reopened:.0} | {rejected:.0} \
         | {:.0} ({:.0}) | {:.1}, {:.0} ({:.1}) | {} |",
        scenario.traffic,
        scenario.sandboxes,
        scenario.slots,
        report.served_percent(),
        possible_percent(scenario),
        report.waited_percent(),
        first.peak(SECOND),
        first.peak(10 * SECOND),
        later.total_since(Duration::ZERO) as f64 / duration.as_secs_f64(),
        later.peak(SECOND),
        later.peak(10 * SECOND),
        report.open_at_end,
    );
}

/// Returns the share of the invocations that the slots can serve while all sandboxes are active
/// and each connects in each invocation.
fn possible_percent(scenario: Scenario) -> f64 {
    let traffic = scenario.traffic;
    // Connecting, the statement, and closing.
    let in_use = traffic.statement() + Duration::from_millis(6);
    let between = traffic.longest_gap() / 2 + traffic.statement();
    let needed = scenario.sandboxes as f64 * in_use.as_secs_f64() / between.as_secs_f64();
    (100.0 * scenario.slots as f64 / needed).min(100.0)
}

/// Returns the served invocations in percent of what the slots can serve without any overhead.
pub(super) fn of_capacity(scenario: Scenario, report: &Report) -> f64 {
    let traffic = scenario.traffic;
    let turns = traffic.duration().as_secs_f64() / traffic.statement().as_secs_f64();
    100.0 * report.served as f64 / (scenario.slots as f64 * turns)
}

#[test]
#[ignore = "long: run by the stress command"]
fn crowds() {
    println!(
        "| sandboxes | slots | of capacity | served | worst, median sandbox | rejected/s \
         | longest wait |\n|--:|--:|--:|--:|--:|--:|--:|"
    );
    for (sandboxes, slots) in [(40, 17), (400, 170), (1_000, 100)] {
        let scenario = Scenario::new(sandboxes, slots, Traffic::Crowd);
        let report = scenario.simulate();
        let rejected = report.rejected.total_since(Duration::ZERO) as f64;
        let (least, median) = report.least_and_median();
        println!(
            "| {sandboxes} | {slots} | {:.1} % | {:.1} % | {least}, {median} | {:.0} | {:.2} s |",
            of_capacity(scenario, &report),
            report.served_percent(),
            rejected / scenario.traffic.duration().as_secs_f64(),
            report.longest_wait.as_secs_f64(),
        );
    }
}
