//! The limits that connections of a source were opened with. The initialization does not know the
//! function's time-out, and an invocation that begins with an initialization knows a part of it.

use std::time::Duration;

use crate::source::Source;
use crate::sync::Mutex;

static OPENED_WITH: Mutex<Vec<(Source, Limits)>> = Mutex::new(Vec::new());

/// The limits of a session that follow the function's time-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) statement: Option<Duration>,
    pub(super) transaction: Option<Duration>,
}

impl Limits {
    pub(super) fn of(source: &Source) -> Self {
        Self {
            statement: source.statement_limit(),
            transaction: source.transaction_limit(),
        }
    }
}

/// Records that a connection is being opened. Returns `true` if it is the first one with the limits
/// of now.
pub(super) fn opening(source: &Source) -> bool {
    let now = (*source, Limits::of(source));
    let mut all = OPENED_WITH.lock();
    let is_new = !all.contains(&now);
    if is_new {
        all.push(now);
    }
    is_new
}

/// Returns the limits, other than those of now, that a connection of the source was opened with.
pub(super) fn earlier(source: &Source) -> Vec<Limits> {
    let now = Limits::of(source);
    let all = OPENED_WITH.lock();
    let of_source = all.iter().filter(|(known, _)| known == source);
    let limits = of_source.map(|(_, limits)| *limits);
    limits.filter(|limits| *limits != now).collect()
}

/// Returns `true` if a connection of the source may have other limits than those of now.
#[cfg(feature = "_postgres")]
pub(super) fn may_be_late(source: &Source) -> bool {
    !earlier(source).is_empty()
}
