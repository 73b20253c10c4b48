//! Every shape of a handler, run on SQLite in memory, and what it takes of its connections.
#![cfg(feature = "sqlite")]
#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, with a message"
)]

#[path = "shapes/calls.rs"]
mod calls;
#[path = "shapes/client.rs"]
mod client;
#[path = "shapes/databases.rs"]
mod databases;
#[path = "shapes/outcomes.rs"]
mod outcomes;
#[path = "shapes/services.rs"]
mod services;

use reuse_db::{Source, Stats};

/// A database of each connection's own, since nobody sets that variable.
const MEMORY: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:");

/// A database that nobody can open.
const NONE: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite:/no/such/folder/no.db");

/// How many connections were opened, reused and discarded.
fn counts(stats: Stats) -> (u64, u64, u64) {
    (stats.opened, stats.reused, stats.discarded)
}
