//! The fleets to simulate.

use super::fleet::Fleet;
use super::report::Report;
use super::traffic::Traffic;

/// A fleet, its traffic, and its server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scenario {
    pub(super) sandboxes: usize,
    pub(super) slots: usize,
    pub(super) traffic: Traffic,
    /// The slots that others hold in the first half of the time.
    pub(super) held: usize,
}

impl Scenario {
    pub(super) fn new(sandboxes: usize, slots: usize, traffic: Traffic) -> Self {
        Self {
            sandboxes,
            slots,
            traffic,
            held: 0,
        }
    }

    pub(super) fn simulate(self) -> Report {
        Fleet::new(self).run()
    }
}
