//! The step of this crate that a handler waits for, for the error of a handler that is ended.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

use super::INVOCATION;

/// A step that a handler may wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Step {
    /// The handler's own code, statements included.
    Own,
    Connection,
    Begin,
    Commit,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own => "a statement or something else of its own",
            Self::Connection => "a connection",
            Self::Begin => "BEGIN",
            Self::Commit => "COMMIT",
        })
    }
}

/// The step of an invocation that began last.
#[derive(Debug, Default)]
pub(super) struct CurrentStep(AtomicU8);

/// Marks a step of the current invocation until dropped.
#[derive(Debug)]
pub(crate) struct Waits(u8);

/// Begins a step of the current invocation.
pub(crate) fn waits_for(step: Step) -> Waits {
    let before =
        INVOCATION.try_with(|invocation| invocation.step.0.swap(step as u8, Ordering::Relaxed));
    Waits(before.unwrap_or_default())
}

impl Drop for Waits {
    fn drop(&mut self) {
        let _ =
            INVOCATION.try_with(|invocation| invocation.step.0.store(self.0, Ordering::Relaxed));
    }
}

/// Returns the step that the current invocation waits for.
pub(crate) fn current_step() -> Step {
    let step = INVOCATION.try_with(|invocation| invocation.step.0.load(Ordering::Relaxed));
    [Step::Connection, Step::Begin, Step::Commit]
        .into_iter()
        .find(|known| step == Ok(*known as u8))
        .unwrap_or(Step::Own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invocation::Invocation;

    #[test]
    fn a_step_ends_with_its_mark() {
        INVOCATION.sync_scope(Invocation::new(None), || {
            assert_eq!(current_step(), Step::Own);
            let outer = waits_for(Step::Connection);
            let inner = waits_for(Step::Begin);
            assert_eq!(current_step(), Step::Begin);
            drop(inner);
            assert_eq!(current_step(), Step::Connection);
            drop(outer);
            assert_eq!(current_step(), Step::Own);
        });
    }
}
