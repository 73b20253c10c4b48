//! The ways to a connection that are compared.

use std::ops::RangeInclusive;

use reuse_db_tests::stress::Programs;

use crate::peers::Peers;
use crate::stage::{Place, Program, Stage};

/// A way to a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) name: &'static str,
    pub(crate) variable: &'static str,
    /// The way without reuse-db that runs the same statements on a bare connection.
    pub(crate) limit: &'static str,
    /// The round trips of an invocation with some statements, those after the response included,
    /// for a way of reuse-db.
    pub(crate) round_trips: Option<fn(u64) -> RangeInclusive<u64>>,
}

const HELD: &str = "bare connection (limit)";
const HELD_TRANSACTION: &str = "bare transaction (limit)";

pub(crate) const WAYS: [Way; 8] = [
    Way::by_hand(HELD, "held"),
    Way::ours("`&mut` connection", "connection", HELD, |n| n..=n),
    // sqlx pings each connection that returns to a pool.
    Way::ours("`&Pool`", "pool", HELD, |n| n..=2 * n),
    Way {
        limit: HELD_TRANSACTION,
        ..Way::by_hand(HELD_TRANSACTION, "held_transaction")
    },
    Way::ours("`&mut Transaction`", "transaction", HELD_TRANSACTION, |n| {
        n + 2..=n + 3
    }),
    Way::by_hand("static pool", "static_pool"),
    Way::by_hand("static pool of one", "static_pool_of_one"),
    Way::by_hand("connect in each", "connect_each"),
];

impl Way {
    pub(crate) const fn by_hand(name: &'static str, variable: &'static str) -> Self {
        Self {
            name,
            variable,
            limit: HELD,
            round_trips: None,
        }
    }

    const fn ours(
        name: &'static str,
        variable: &'static str,
        limit: &'static str,
        round_trips: fn(u64) -> RangeInclusive<u64>,
    ) -> Self {
        Self {
            name,
            variable,
            limit,
            round_trips: Some(round_trips),
        }
    }
}

/// Starts a sandbox for each way that `selects` selects, the peer of Node included.
pub(crate) async fn start_all(
    place: &Place,
    programs: &Programs,
    peers: &Peers,
    selects: impl Fn(&Way) -> bool,
) -> Vec<(Way, Stage)> {
    let peer = peers.name(place.database);
    let mut all = Vec::new();
    for way in WAYS
        .into_iter()
        .chain([Way::by_hand(peer, peer)])
        .filter(selects)
    {
        let program = if way.variable == peer {
            peers.program(place.database)
        } else {
            Program {
                path: programs.path("warm_function"),
                script: None,
                way: way.variable,
            }
        };
        all.push((way, place.start_sandbox(&program).await));
    }
    all
}
