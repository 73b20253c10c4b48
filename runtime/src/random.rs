//! Randomness, from the operating system.
//!
//! The state of a generator would be equal in all sandboxes that were restored from one snapshot.

/// Returns a random number from 0 to 1.
pub(crate) fn unit() -> f64 {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(random) / f64::from(u32::MAX)
}
