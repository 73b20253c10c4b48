//! Sandboxes that are refused together do not come back together.

use super::{Length, Programs};

/// Runs it.
pub async fn run(_programs: &Programs, _length: Length) -> String {
    String::new()
}
