//! Each form of the parameter keeps its connection where there is room, and gives it up elsewhere.

use std::time::Duration;

use lambda_bench::lambda::Event;
use lambda_bench::wait::until;
use reuse_db_tests::function::Function;
use sqlx::Connection as _;

use crate::{ABOVE, FORMS, LIMIT, NOTHING, SHARE, Small, on_each_small_server, run};

/// The delay of the proxy in each direction, which keeps round trips apart.
const DELAY: Duration = Duration::from_millis(10);

/// Opens connections of others until the server rejects more.
async fn fill_up<S: Small>(server: &S, others: &mut Vec<S::Client>) {
    until("a full server", async || {
        if let Ok(other) = S::Client::connect(&server.url()).await {
            others.push(other);
        }
        others.len() == LIMIT
    })
    .await;
}

on_each_small_server! {
    async fn above_the_share_a_new_connection_is_closed_before_the_freeze(server: &impl Small) {
        let _others = server.fill(ABOVE).await;
        for form in FORMS {
            let function = Function::start_scripted(server, "plain").await;
            for n in 1..=3 {
                let stats = run(&function, form, NOTHING).await;
                server.until_sessions(ABOVE).await;
                assert!(function.sandbox.is_frozen(), "{form}");
                assert_eq!(stats.get("opened"), n, "{form}: {stats:?}");
                assert_eq!(stats.get("shed"), n - 1, "{form}: {stats:?}");
                assert_eq!(stats.get("discarded"), 0, "{form}: {stats:?}");
                let asked = stats.get("load_queries");
                assert!(n == 1 || (1..n).contains(&asked), "{form}: {stats:?}");
            }
        }
    }

    async fn above_the_share_a_failed_invocation_gives_up_its_connection(server: &impl Small) {
        let _others = server.fill(ABOVE).await;
        for form in FORMS {
            let function = Function::start_scripted(server, "plain").await;
            for _ in 0..2 {
                function.script(&format!("{form}?end=fail"), NOTHING).await.error();
                server.until_sessions(ABOVE).await;
                assert!(function.sandbox.is_frozen(), "{form}");
            }
            let stats = run(&function, form, NOTHING).await;
            assert_eq!((stats.get("opened"), stats.get("shed")), (3, 2), "{form}: {stats:?}");
        }
    }

    /// sqlx's pool would try again by itself, without jitter.
    async fn a_pool_makes_single_attempts_at_a_full_server(server: &impl Small) {
        let mut others = Vec::new();
        fill_up(server, &mut others).await;
        let function = Function::start_scripted(server, "plain").await;
        let answer = function.script("/pool", NOTHING).await;
        assert_eq!(answer.status(), 503);
        let attempts = function.proxy.connections() as u64;
        drop(others);
        let stats = run(&function, "/pool", NOTHING).await;
        // The cause of the first rejection takes another attempt.
        let retried = stats.get("retried");
        assert!(retried > 2 && attempts <= retried + 2, "{attempts} attempts; {stats:?}");
    }

    async fn below_the_share_a_connection_is_kept_and_asks_once(server: &impl Small) {
        let _others = server.fill(SHARE - 6).await;
        for form in FORMS {
            let function = Function::start_scripted(server, "plain").await;
            for n in 0..12 {
                let stats = run(&function, form, NOTHING).await;
                let asked = stats.get("load_queries");
                assert_eq!(asked, u64::from(n > 0), "{form} {n}: {stats:?}");
                assert_eq!(stats.get("shed"), 0, "{form} {n}: {stats:?}");
            }
            assert_eq!(function.proxy.connections(), 1, "{form}");
        }
    }

    /// Nothing but the load query comes on top of what the function sends without load shedding.
    async fn the_first_response_waits_for_nothing(server: &impl Small) {
        // To MySQL, a user's first sign-in takes more round trips.
        drop(server.fill(1).await);
        for form in FORMS.into_iter().filter(|form| *form != "/any") {
            let mut sent = Vec::new();
            for source in ["plain", "off"] {
                let function = Function::start_scripted(server, source).await;
                function.proxy.delay(DELAY);
                let stats = run(&function, form, NOTHING).await;
                assert_eq!(stats.get("load_queries"), 0, "{form} {source}: {stats:?}");
                sent.push(function.proxy.round_trips());
                function.proxy.delay(Duration::ZERO);
                let stats = run(&function, form, NOTHING).await;
                assert_eq!(stats.get("opened"), 1, "{form} {source}: {stats:?}");
                assert_eq!(stats.get("inspected"), 1, "{form} {source}: {stats:?}");
            }
            assert_eq!(sent[0], sent[1] + 1, "{form}");
        }
    }

    async fn a_second_lease_in_an_invocation_reuses_the_connection(server: &impl Small) {
        let _others = server.fill(ABOVE).await;
        for form in ["/conn-twice", "/pool-twice"] {
            let function = Function::start_scripted(server, "plain").await;
            for n in 1..=3 {
                let stats = run(&function, form, NOTHING).await;
                let leases = (stats.get("opened"), stats.get("reused"));
                assert_eq!(leases, (n, n), "{form}: {stats:?}");
                server.until_sessions(ABOVE).await;
            }
        }
    }

    /// Load shedding that is off closes such a connection, too.
    async fn a_connection_that_met_a_full_server_is_closed_unasked(server: &impl Small) {
        const LEFT: usize = ABOVE - 1;
        let mut others = server.fill(ABOVE).await;
        for form in FORMS {
            for source in ["plain", "off"] {
                fill_up(server, &mut others).await;
                let function = Function::start_scripted(server, source).await;
                let meets_it = async {
                    until("a rejected attempt", async || function.proxy.connections() >= 2).await;
                    others.truncate(LEFT);
                };
                let (stats, ()) = tokio::join!(run(&function, form, NOTHING), meets_it);
                let is_seen = stats.get("retried") > 0;
                // sqlx's pool on PostgreSQL tries again by itself, and does not report why.
                assert!(is_seen || form == "/pool", "{form} {source}: {stats:?}");
                if !is_seen && source == "off" {
                    continue;
                }
                server.until_sessions(LEFT).await;
                assert!(function.sandbox.is_frozen(), "{form} {source}");
                let stats = run(&function, form, NOTHING).await;
                let asked = stats.get("load_queries");
                assert_eq!(asked, u64::from(!is_seen), "{form} {source}: {stats:?}");
                assert_eq!(stats.get("shed"), 1, "{form} {source}: {stats:?}");
                assert_eq!(stats.get("opened"), 2, "{form} {source}: {stats:?}");
                if source == "off" && form != "/any" {
                    let stats = run(&function, form, NOTHING).await;
                    assert_eq!(stats.get("opened"), 2, "{form}: there was room; {stats:?}");
                }
            }
        }
    }

    async fn off_asks_nothing_and_keeps_every_connection(server: &impl Small) {
        let _others = server.fill(ABOVE).await;
        for form in FORMS.into_iter().filter(|form| *form != "/any") {
            let function = Function::start_scripted(server, "off").await;
            for _ in 0..5 {
                let stats = run(&function, form, NOTHING).await;
                assert_eq!(stats.get("load_queries"), 0, "{form}: {stats:?}");
            }
            assert_eq!(function.proxy.connections(), 1, "{form}");
        }
    }

    async fn a_kept_connection_makes_room_within_seconds_and_is_kept_again(server: &impl Small) {
        for form in FORMS.into_iter().filter(|form| *form != "/any") {
            let function = Function::start_scripted(server, "brisk").await;
            run(&function, form, NOTHING).await;
            run(&function, form, NOTHING).await;
            assert_eq!(function.proxy.connections(), 1, "{form}");

            let others = server.fill(LIMIT - 1).await;
            until("a closed connection", async || {
                run(&function, form, NOTHING).await.get("shed") > 0
            })
            .await;

            drop(others);
            let mut stats = run(&function, form, NOTHING).await;
            until("a kept connection", async || {
                let opened = stats.get("opened");
                stats = run(&function, form, NOTHING).await;
                stats.get("opened") == opened
            })
            .await;
            let opened = function.proxy.connections();
            for _ in 0..5 {
                run(&function, form, NOTHING).await;
            }
            assert_eq!(function.proxy.connections(), opened, "{form}");
        }
    }

    /// A threshold of half the server.
    async fn the_threshold_is_a_setting(server: &impl Small) {
        let others = server.fill(LIMIT / 2 + 1).await;
        for (source, sessions) in [("shedding", 0), ("plain", 1)] {
            let function = Function::start_scripted(server, source).await;
            run(&function, "/conn", NOTHING).await;
            server.until_sessions(others.len() + sessions).await;
            assert!(function.sandbox.is_frozen());
        }
    }
}

#[tokio::test]
async fn a_connection_opened_ahead_of_the_first_invocation_is_not_kept_above_the_share() {
    let server = <lambda_bench::servers::Postgres as Small>::small().await;
    let _others = server.fill(ABOVE - 1).await;
    let function = Function::start_with(&server, &[("INIT", "warm")]).await;
    // Two statics open their connections.
    until("the first connections", async || {
        function.proxy.connections() == 2
    })
    .await;
    server.until_sessions(ABOVE - 1).await;
    let answer = function.sandbox.invoke(Event::get("/add?n=1")).await;
    let stats = &answer.ok().json()["stats"];
    assert_eq!(stats["shed"], 2, "{stats}");
}
