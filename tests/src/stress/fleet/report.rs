//! Rows of tables, and the promises that were broken.

use std::fmt::Display;
use std::time::Duration;

use super::figures::Figures;
use crate::stress::Length;

/// The result of a part on one server.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) rows: Vec<String>,
    pub(super) broken: Vec<String>,
}

impl Report {
    /// Adds a row to the table of the part.
    pub(super) fn row(&mut self, cells: &[&dyn Display]) {
        let cells: Vec<_> = cells.iter().map(ToString::to_string).collect();
        self.rows.push(format!("| {} |", cells.join(" | ")));
    }

    /// Records a promise as broken unless `is_kept`.
    pub(super) fn promise(&mut self, is_kept: bool, promise: impl Display) {
        if !is_kept {
            self.broken.push(promise.to_string());
        }
    }

    /// Checks what holds for each fleet: every failure is a 503 in time.
    pub(super) fn refuses_in_time(&mut self, of: &str, length: Length, figures: &Figures) {
        let (timed_out, failures) = (figures.timed_out, &figures.failures);
        // A busy machine may stop a function for the rest of its time.
        let most = if length == Length::Long {
            0
        } else {
            figures.calls / 20
        };
        self.promise(timed_out <= most, format!("{of}: {timed_out} time-outs"));
        self.promise(
            failures.is_empty(),
            format!(
                "{of}: {} errors, such as {:?}",
                failures.len(),
                failures.first()
            ),
        );
    }
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

pub(super) fn ms(time: Duration) -> String {
    format!("{:.1} ms", 1_000.0 * time.as_secs_f64())
}

pub(super) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}
