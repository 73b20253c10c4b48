//! Counters and log events.

mod cloudwatch;
pub(crate) mod events;
mod stats;

pub(crate) use cloudwatch::Metrics;
pub(crate) use stats::{Count, Counters, HandlerName};
pub use stats::{Stats, stats};
