//! Many handlers in one function: a router with twenty, and two handlers of which one calls the
//! other.

use lambda_bench::lambda::Event;
use lambda_bench::servers::Postgres;
use lambda_bench::wait::until;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, program};

/// A request, its answer, and its cost.
struct Case {
    event: Event,
    status: u16,
    body: &'static str,
    /// Statements, BEGIN, COMMIT, ROLLBACK, and the reset after a failure.
    round_trips: u64,
}

fn get(path: &str, body: &'static str, round_trips: u64) -> Case {
    case("GET", path, "", (200, body), round_trips)
}

fn case(
    method: &str,
    path: &str,
    request: &str,
    (status, body): (u16, &'static str),
    round_trips: u64,
) -> Case {
    let mut event = Event::request(method, path).header("user-agent", "bench");
    if !request.is_empty() {
        event = event
            .header("content-type", "application/json")
            .body(request);
    }
    Case {
        event,
        status,
        body,
        round_trips,
    }
}

/// Returns a request for each handler. They leave the table as empty as they find it.
fn cases() -> [Case; 20] {
    [
        get("/one", "one", 1),
        get("/two", "onetwo", 2),
        get("/count", "0", 1),
        case("POST", "/notes", "a", (201, ""), 4),
        case("POST", "/notes/json", r#"["b","b"]"#, (200, "2"), 5),
        get("/last", "\"b\"", 1),
        get("/sum/3/4", "7", 1),
        get("/search?like=b%25", r#"["b","b"]"#, 1),
        case("PUT", "/notes/b", "a", (200, "2"), 4),
        get("/greet/Ann", "hello, Ann", 1),
        get("/agent", "5", 1),
        case("PATCH", "/method", "", (200, "patch"), 1),
        case("GET", "/missing", "", (404, "missing"), 1),
        // BEGIN, INSERT, ROLLBACK.
        case("POST", "/conflict", "c", (409, "c"), 3),
        // The reset comes with the ROLLBACK.
        case("POST", "/failure", "d", (500, "d"), 3),
        case("DELETE", "/notes/a/end", "", (204, ""), 4),
        get("/request", "/REQUEST", 1),
        case("GET", "/response", "", (202, "a body"), 1),
        get("/opaque", "", 1),
        get("/extension", "aaaaaaa", 1),
    ]
}

#[tokio::test]
async fn twenty_handlers_share_one_connection_and_add_nothing_to_the_wire() {
    let server = <Postgres as Server>::launch().await;
    let function = Function::start_program(program("router"), &server, &[]).await;
    for round in 0..5 {
        for case in cases() {
            let before = function.proxy.counts();
            let answer = function.sandbox.invoke(case.event).await;
            function.sandbox.frozen().await;
            assert_eq!(
                (answer.status(), answer.text()),
                (case.status, case.body),
                "{answer:?}"
            );
            let round_trips = (function.proxy.counts() - before).round_trips;
            // The first round prepares each statement, and each handler's first three successes are
            // inspected.
            if round > 2 {
                assert_eq!(round_trips, case.round_trips, "{answer:?}");
            }
            assert_eq!(function.proxy.connections(), 1, "{answer:?}");
        }
        assert_eq!(server.sessions().await.len(), 1);
    }
}

/// Returns the sessions of the outer and of the inner handler.
async fn sessions(function: &Function, path: &str) -> [i64; 2] {
    let json = function.invoke(path).await.json();
    [0, 1].map(|n| json[n].as_i64().unwrap_or_default())
}

#[tokio::test]
async fn a_handler_and_a_handler_that_it_calls_have_a_connection_each() {
    let server = <Postgres as Server>::launch().await;
    let function = Function::start_program(program("nested_handlers"), &server, &[]).await;
    for _ in 0..3 {
        let [outer, inner] = sessions(&function, "/read").await;
        assert_ne!(outer, inner);
        assert_eq!(function.proxy.connections(), 2, "both connections are kept");
        assert_eq!(server.sessions().await.len(), 2);
    }
}

#[tokio::test]
async fn a_transaction_is_not_part_of_the_transaction_around_it() {
    let server = <Postgres as Server>::launch().await;
    let function = Function::start_program(program("nested_handlers"), &server, &[]).await;
    for written in 1..=3 {
        let [outer, inner] = sessions(&function, "/write").await;
        assert_ne!(outer, inner);
        let notes = server.number("select count(*) from notes").await;
        assert_eq!(notes, written, "only the inner transaction is committed");
        until("the end of the session that counted", async || {
            server.sessions().await.len() == 2
        })
        .await;
        let left = server.sessions().await;
        assert!(!left.iter().any(|one| one.in_transaction), "{left:?}");
    }
}
