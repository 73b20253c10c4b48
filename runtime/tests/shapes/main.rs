//! Handlers of every shape that the attribute takes, called: what they do, and what their statics
//! count.
#![cfg(feature = "sqlite")]

#[cfg(feature = "any")]
mod any;
mod attributes;
mod conditions;
mod control_flow;
mod cut_off;
mod events;
mod forms;
mod generics;
mod in_macro_rules;
mod jobs;
mod leased;
mod names;
mod nested;
mod of_a_user;
mod patterns;
mod places;
mod refusals;
mod returned;
mod routes;
mod shadowed;
mod transactions;
mod two_databases;
mod visibility;
mod web;
mod with_its_own;

use std::time::Duration;

use reuse_db::{Source, Stats};

/// A database in memory, as old as its connection: what is in it tells connections apart. It is
/// always trusted, so that a slow machine counts no checks.
const MEMORY: Source = Source::env("NO_SUCH_VARIABLE")
    .or("sqlite::memory:")
    .on_connect("create table notes (text text not null)")
    .verify_after(Duration::MAX);

/// Where no connection can be had.
const NOWHERE: Source = Source::env("NO_SUCH_VARIABLE");

/// What became of the connections leased through a static.
fn counts(stats: Stats) -> Counts {
    Counts {
        opened: stats.opened,
        reused: stats.reused,
        discarded: stats.discarded,
        unavailable: stats.unavailable,
    }
}

#[derive(Debug, Default, PartialEq)]
struct Counts {
    opened: u64,
    reused: u64,
    discarded: u64,
    unavailable: u64,
}

/// Leased `times`, and opened for the first time only.
fn one_connection(times: u64) -> Counts {
    Counts {
        opened: 1,
        reused: times - 1,
        ..Counts::default()
    }
}
