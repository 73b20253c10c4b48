//! An axum router of twenty annotated handlers, and handlers that call each other.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, with a message"
)]

mod function;

use std::collections::BTreeSet;

use function::Function;
use function::server::Server;
use reuse_db_tests::servers::Postgres;

async fn start() -> (Postgres, Function) {
    let server = Postgres::launch().await;
    let function = Function::start_binary(env!("CARGO_BIN_EXE_router"), &server, &[]).await;
    (server, function)
}

/// The two words that a route answers.
async fn words(function: &Function, path: &str) -> (String, String) {
    let answer = function.invoke(path).await;
    let text = answer.ok().text();
    let (one, two) = text.split_once(' ').expect("two words");
    (one.to_owned(), two.to_owned())
}

/// Rule 1, with every extractor in between, and rule 6.
#[tokio::test]
async fn twenty_routes_hold_one_connection() {
    let (server, function) = start().await;
    let mut sessions = BTreeSet::new();
    for round in 0..2 {
        for (number, route) in (1..).zip('a'..='t') {
            let before = function.proxy.counts();
            let (product, session) = words(&function, &format!("/{route}/{number}?by=3")).await;
            assert_eq!(product, (2 * number * 3).to_string());
            sessions.insert(session);
            let round_trips = (function.proxy.counts() - before).round_trips;
            if round > 0 {
                assert_eq!(round_trips, 2, "{route}: its own two statements");
            }
        }
    }
    assert_eq!(sessions.len(), 1);
    assert_eq!(function.proxy.connections(), 1);
    assert_eq!(server.sessions().await.len(), 1);
}

/// No deadlock: each has a connection of its own, and both are kept.
#[tokio::test]
async fn nested_handlers_hold_two_connections() {
    let (server, function) = start().await;
    for _ in 0..3 {
        let (outer, inner) = words(&function, "/nested").await;
        assert_ne!(outer, inner);
    }
    assert_eq!(function.proxy.connections(), 2);
    assert_eq!(server.sessions().await.len(), 2);
}
