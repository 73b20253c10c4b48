//! Handlers of every shape that the attribute accepts, called against SQLite in memory.
#![cfg(feature = "sqlite")]
#![deny(
    warnings,
    elided_lifetimes_in_paths,
    if_let_rescope,
    keyword_idents,
    let_underscore_drop,
    rust_2018_idioms,
    rust_2024_prelude_collisions,
    tail_expr_drop_order,
    trivial_casts,
    unused_import_braces,
    unused_lifetimes
)]

#[cfg(feature = "any")]
mod any_driver;
mod arguments;
mod attributes;
mod axum_routes;
mod callers;
mod cancellation;
mod conditional_functions;
mod control_flow;
mod forms;
mod generics;
mod http_handlers;
mod in_macro_rules;
mod inner_function;
mod lambda_events;
mod leases;
mod names;
mod nested_calls;
mod patterns;
mod return_types;
mod several_databases;
mod shadowed_names;
mod transactions;
mod user_defined_client;
mod visibility;
mod without_a_connection;

use std::time::Duration;

use reuse_db::{Source, Stats};

/// A database in memory, which lives as long as its connection and so identifies it. It is never
/// checked, so that the counts do not depend on the speed of the machine.
const MEMORY: Source = Source::env("NO_SUCH_VARIABLE")
    .or("sqlite::memory:")
    .on_connect("create table notes (text text not null)")
    .verify_after(Duration::MAX);

/// A source without a URL.
const NOWHERE: Source = Source::env("NO_SUCH_VARIABLE");

/// Returns the counters of a static.
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

/// Returns the counters of a connection that was opened once and leased `times`.
fn one_connection(times: u64) -> Counts {
    Counts {
        opened: 1,
        reused: times - 1,
        ..Counts::default()
    }
}
