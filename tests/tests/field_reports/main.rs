//! The reports from the field: what people reported about databases in functions and about kept
//! connections, and what must happen instead. One module for each area, one test for each report.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, with a message"
)]

mod connecting;
mod failing_connection;
mod more_reports;
mod on_first_use;
mod outcomes;
mod pools;
mod session_state;
mod transactions;
mod wrong_data;
