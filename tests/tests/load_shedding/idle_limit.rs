//! The load query sets the time for which the server lets the session idle.

use std::time::Duration;

use lambda_bench::servers::Postgres;
use lambda_bench::wait::until;
use reuse_db_tests::function::{Function, LOGGED, program};

use crate::{FORMS, NOTHING, SHARE, Small, idle_limit, on_each_small_server, run};

/// Opens connections of others, as the only ones of the server.
async fn fill<S: Small>(server: &S, connections: usize) -> Vec<S::Client> {
    let mut others = server.fill(connections).await;
    are_alone::<S>(&mut others).await;
    others
}

/// Waits until the server has no other connection. An administrator's may be ending.
async fn are_alone<S: Small>(others: &mut [S::Client]) {
    let count = others.len();
    let first = others.first_mut().expect("a connection");
    until("the end of other connections", async || {
        S::count(first).await == count
    })
    .await;
}

async fn set_idle_default<S: Small>(server: &S) {
    server.execute(S::SET_IDLE_DEFAULT).await;
}

/// Returns the limit that the first load query of a function leaves, where others have so many
/// connections.
async fn after_a_load_query<S: Small>(server: &S, others: usize, source: &str, form: &str) -> f64 {
    let _others = fill(server, others).await;
    let function = Function::start_scripted(server, source).await;
    run(&function, form, NOTHING).await;
    let limit = idle_limit(server, &function, form).await;
    let stats = run(&function, form, NOTHING).await;
    let counted = (stats.get("opened"), stats.get("load_queries"));
    assert_eq!(counted, (1, 1), "{form}: {stats:?}");
    limit
}

on_each_small_server! {
    async fn an_empty_server_lets_a_session_idle_as_configured(server: &impl Small) {
        for form in FORMS {
            let limit = after_a_load_query(server, 1, "plain", form).await;
            assert_eq!(limit, 300.0, "{form}");
        }
    }

    async fn the_limit_is_shorter_where_there_is_less_room(server: &impl Small) {
        // With its own connection, the server is at three quarters of the share.
        for form in FORMS {
            let limit = after_a_load_query(server, SHARE * 3 / 4 - 1, "plain", form).await;
            assert_eq!(limit, 30.0 + 270.0 / 2.0, "{form}");
        }
    }

    async fn at_the_share_the_limit_is_half_a_minute(server: &impl Small) {
        for form in FORMS {
            let limit = after_a_load_query(server, SHARE - 1, "plain", form).await;
            assert_eq!(limit, 30.0, "{form}");
        }
    }

    async fn the_limit_is_never_below_the_functions_time_out(server: &impl Small) {
        let _others = fill(server, SHARE - 1).await;
        let env = [("SOURCE", "plain")];
        let function = Function::start_sandbox(program("field_function"), server, &env, |sandbox| {
            sandbox.timeout(Duration::from_secs(60))
        });
        let function = function.await;
        run(&function, "/conn", NOTHING).await;
        let limit = idle_limit(server, &function, "/conn").await;
        // Of the time-out, a little had passed at the first look at the clock.
        assert!((59.0..=60.0).contains(&limit), "{limit}");
    }

    async fn the_sources_limit_is_the_longest(server: &impl Small) {
        for (others, expected) in [(1, 100.0), (SHARE * 3 / 4 - 1, 65.0), (SHARE - 1, 30.0)] {
            let limit = after_a_load_query(server, others, "idle_100", "/conn").await;
            assert_eq!(limit, expected);
        }
    }

    async fn a_source_without_a_limit_leaves_the_servers(server: &impl Small) {
        set_idle_default(server).await;
        for form in ["/conn", "/tx", "/pool", "/lease"] {
            let limit = after_a_load_query(server, SHARE - 1, "idle_zero", form).await;
            assert_eq!(limit, 1_234.0, "{form}");
        }
    }

    /// The setting of the limit is no change that a handler has made.
    async fn a_failed_invocation_keeps_its_connection_after_load_queries(server: &impl Small) {
        // Near the share, where load queries are frequent.
        let _others = server.fill(SHARE - 2).await;
        for form in FORMS {
            let source = if form == "/any" { "plain" } else { "brisk" };
            let function = Function::start_scripted(server, source).await;
            let asked = if form == "/any" { 1 } else { 2 };
            until("load queries", async || {
                run(&function, form, NOTHING).await.get("load_queries") >= asked
            })
            .await;
            for _ in 0..3 {
                function.script(&format!("{form}?end=not-found"), NOTHING).await.error();
                run(&function, form, NOTHING).await;
            }
            assert_eq!(function.proxy.connections(), 1, "{form}");
        }
    }
}

/// A limit in the URL is the user's own.
#[tokio::test]
async fn a_limit_in_the_url_is_left_alone() {
    let server = <Postgres as Small>::small().await;
    let _others = server.fill(SHARE - 6).await;
    let url = format!(
        "{}?options=-c%20idle_session_timeout%3D77s",
        lambda_bench::servers::Postgres::url(&server)
    );
    for form in FORMS {
        let env = [
            ("DATABASE_URL", url.as_str()),
            LOGGED[0],
            LOGGED[1],
            LOGGED[2],
        ];
        let function = Function::start_program(program("field_function"), &server, &env).await;
        run(&function, form, NOTHING).await;
        assert_eq!(idle_limit(&server, &function, form).await, 77.0, "{form}");
        let stats = run(&function, form, NOTHING).await;
        assert_eq!(stats.get("load_queries"), 1, "{form}: {stats:?}");
    }
}
