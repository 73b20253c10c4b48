//! The idle limit that a load query sets for its session, by the server's load.

use std::time::Duration;

use crate::source::Source;

/// The limits of the server for the idle time of a session, by its load.
#[derive(Clone, Copy, Debug)]
pub(super) struct IdleLimits {
    /// The limit at the threshold and above.
    least: u128,
    /// The largest addition to it, where there is room.
    range: u128,
}

impl IdleLimits {
    /// Returns limits in units, or `None` if the session's limit is not to be set.
    pub(super) fn new(least: Duration, most: Option<Duration>, unit: Duration) -> Option<Self> {
        let [least, most] = [least, most?].map(|limit| limit.as_nanos() / unit.as_nanos());
        let most = most.clamp(1, i32::MAX.unsigned_abs().into());
        let least = least.min(most);
        Some(Self {
            least,
            range: most - least,
        })
    }
}

/// Returns the SQL of a load query with its parameters filled in.
pub(super) fn load_sql(template: &str, source: &Source, idle: Option<IdleLimits>) -> String {
    let percent = source.load_shedding.threshold_percent.min(100);
    let sets = if idle.is_some() { "true" } else { "false" };
    let idle = idle.unwrap_or(IdleLimits { least: 0, range: 0 });
    template
        .replace(":percent", &percent.to_string())
        .replace(":sets_idle_limit", sets)
        .replace(":least_idle", &idle.least.to_string())
        .replace(":idle_range", &idle.range.to_string())
}
