//! The measurements as a Markdown table.

use std::time::Duration;

use super::cargo::Command;
use super::package::Package;

/// The measurements of a package.
pub(super) struct Row {
    pub(super) package: Package,
    checks: Vec<Duration>,
    builds: Vec<Duration>,
    /// The bytes of the stripped release binary.
    pub(super) size: Option<u64>,
}

impl Row {
    pub(super) fn new(package: Package) -> Self {
        Self {
            package,
            checks: Vec::new(),
            builds: Vec::new(),
            size: None,
        }
    }

    pub(super) fn times(&mut self, command: Command) -> &mut Vec<Duration> {
        match command {
            Command::Check => &mut self.checks,
            Command::Build => &mut self.builds,
        }
    }

    /// Returns the median of each command in seconds, and the size in MB. NaN stands for nothing.
    fn figures(&self) -> [f64; 3] {
        let [check, build] = [&self.checks, &self.builds].map(|times| {
            let mut seconds: Vec<_> = times.iter().map(Duration::as_secs_f64).collect();
            seconds.sort_by(f64::total_cmp);
            let median = seconds.get(seconds.len() / 2).copied();
            median.unwrap_or(f64::NAN)
        });
        let size = self.size.map_or(f64::NAN, |bytes| bytes as f64 / 1e6);
        [check, build, size]
    }
}

/// Returns the figures of each package, and their ratios to those of the package by hand.
pub(super) fn table(rows: &[Row]) -> String {
    let mut lines = vec![
        "| package | `cargo check` | release build | binary | ratios to the static pool |"
            .to_owned(),
        "|---|--:|--:|--:|--:|".to_owned(),
    ];
    let by_hand = rows.iter().find(|row| row.package == Package::ByHand);
    let by_hand = by_hand.map_or([f64::NAN; 3], Row::figures);
    for row in rows {
        let figures = row.figures();
        let [check, build, size] = figures;
        let ratios: Vec<String> = figures
            .iter()
            .zip(by_hand)
            .map(|(figure, by_hand)| format!("{:.2}", figure / by_hand))
            .collect();
        lines.push(format!(
            "| {} | {check:.2} s | {build:.2} s | {size:.2} MB | {} |",
            row.package.title(),
            ratios.join(", ")
        ));
    }
    lines.join("\n")
}
