//! The measurements, in plain text.

use std::fmt::Write as _;
use std::time::Duration;

use crate::cargo::Command;
use crate::package::Package;

/// The measurements of a package.
pub(crate) struct Row {
    pub(crate) package: Package,
    checks: Vec<Duration>,
    builds: Vec<Duration>,
    pub(crate) size: u64,
}

impl Row {
    pub(crate) fn new(package: Package) -> Self {
        Self {
            package,
            checks: Vec::new(),
            builds: Vec::new(),
            size: 0,
        }
    }

    pub(crate) fn times(&mut self, command: Command) -> &mut Vec<Duration> {
        match command {
            Command::Check => &mut self.checks,
            Command::Build => &mut self.builds,
        }
    }

    /// Returns the least and the median time of each command in seconds, and the size in bytes.
    fn figures(&self) -> [f64; 5] {
        let [check, build] = [&self.checks, &self.builds].map(|times| {
            let mut seconds: Vec<_> = times.iter().map(Duration::as_secs_f64).collect();
            seconds.sort_by(f64::total_cmp);
            let least = seconds.first().copied().unwrap_or(f64::NAN);
            let median = seconds.get(seconds.len() / 2).copied();
            [least, median.unwrap_or(f64::NAN)]
        });
        [check[0], check[1], build[0], build[1], self.size as f64]
    }
}

/// Returns the values of each package, and the ratio of the annotated package to the others.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut table = format!(
        "{:26}{:>17}{:>17}{:>14}\n{:26}{:>8}{:>9}{:>8}{:>9}{:>14}\n",
        "",
        "cargo check",
        "release build",
        "binary",
        "",
        "least",
        "median",
        "least",
        "median",
        "bytes"
    );
    for row in rows {
        let [check, checks, build, builds, size] = row.figures();
        let name = row.package.name();
        let _ = writeln!(
            table,
            "{name:26}{check:7.2}s{checks:8.2}s{build:7.2}s{builds:8.2}s{size:14.0}"
        );
    }
    let figures_of = |package| {
        let mut rows = rows.iter();
        rows.find(|row| row.package == package).map(Row::figures)
    };
    let Some(annotated) = figures_of(Package::Annotated) else {
        return table;
    };
    for other in [Package::ByHand, Package::ByHandKept] {
        let Some(figures) = figures_of(other) else {
            continue;
        };
        let name = format!("annotated / {}", other.name());
        let [check, checks, build, builds, size] =
            std::array::from_fn(|n| annotated[n] / figures[n]);
        let _ = writeln!(
            table,
            "{name:26}{check:8.3}{checks:9.3}{build:8.3}{builds:9.3}{size:14.3}"
        );
    }
    table.push_str("wanted of annotated / by_hand: 1.15 or less, and 1.05 in size");
    table
}
