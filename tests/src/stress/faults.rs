//! The fault matrix: each fault against each handle, in a frozen sandbox and in the middle of work.

use super::{Length, Programs};

/// Runs it.
pub async fn run(_programs: &Programs, _length: Length) -> String {
    String::new()
}
