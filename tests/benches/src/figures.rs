//! Medians and spreads of measured times.

use std::fmt;
use std::time::Duration;

/// The middle and the spread of some times, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    /// A tenth of the times is shorter.
    pub(crate) tenth: f64,
    /// A tenth of the times is longer.
    pub(crate) ninetieth: f64,
    pub(crate) ninety_ninth: f64,
}

impl Spread {
    /// Returns the spread of at least one time.
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at = |share: f64| {
            let last = times.len() - 1;
            1_000.0 * times[(last as f64 * share).round() as usize].as_secs_f64()
        };
        Self {
            median: at(0.5),
            tenth: at(0.1),
            ninetieth: at(0.9),
            ninety_ninth: at(0.99),
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            median,
            tenth,
            ninetieth,
            ..
        } = self;
        write!(f, "{median:.2} ({tenth:.2}–{ninetieth:.2})")
    }
}
