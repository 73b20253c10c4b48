//! A statement that its handler abandons ends at the server.

use std::time::Duration;

use lambda_bench::wait::until;
use reuse_db_tests::on_each_server;
use sqlx::{AnyConnection, Connection as _};
use tokio::time::Instant;

use super::*;

const TIME_OUT: Duration = Duration::from_secs(20);

const PATHS: [&str; 13] = [
    "/conn",
    "/conn?end=fail",
    "/conn?end=panic",
    "/tx",
    "/tx?end=fail",
    "/tx?end=panic",
    "/lease",
    "/lease?end=fail",
    "/lease?end=panic",
    "/any",
    "/any?end=fail",
    "/pool",
    "/pool?end=fail",
];

/// Slow statements: one that sleeps, one that waits for a lock on `notes`, and one that computes.
fn slow(server: &impl Server) -> [&'static str; 3] {
    if server.url().starts_with("postgres") {
        [
            "select pg_sleep(60)",
            "update notes set text = 'b'",
            "select count(*) from (select md5(n::text) m from generate_series(1, 90000000) n \
             order by m) sorted",
        ]
    } else {
        [
            "select sleep(60)",
            "update notes set text = 'b'",
            "select count(*) from information_schema.columns a, information_schema.columns b, \
             information_schema.columns c where a.column_name < b.column_name \
             and c.column_name < a.table_name",
        ]
    }
}

/// Holds a lock on `notes` while `work` runs.
async fn locked(server: &impl Server, work: impl Future<Output = ()>) {
    sqlx::any::install_default_drivers();
    let mut other = AnyConnection::connect(&server.url())
        .await
        .expect("a connection");
    let mut run = async |sql: &'static str| {
        sqlx::raw_sql(sql)
            .execute(&mut other)
            .await
            .expect("an answer");
    };
    run("insert into notes values ('a')").await;
    run("begin").await;
    run("update notes set text = 'c'").await;
    work.await;
    run("rollback").await;
}

/// Asserts that the statement of the last invocation ends within a second.
async fn assert_ends(server: &impl Server, what: &str) {
    let begun = Instant::now();
    until("the end of the statement", async || {
        running(server).await == 0
    })
    .await;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(1), "{what}: {took:?}");
}

on_each_server! {
    async fn it_ends_within_a_second_of_the_response(server: &impl Server) {
        let function = scripted(server, "plain", TIME_OUT).await;
        let work = async {
            for path in PATHS {
                for statement in slow(server) {
                    function.script(path, &format!("cut {statement}")).await;
                    assert_ends(server, &format!("{path} {statement}")).await;
                    function.script("/conn", "raw select 1").await.ok();
                }
            }
        };
        locked(server, work).await;
    }

    async fn it_ends_if_a_round_trip_takes_30_ms(server: &impl Server) {
        let function = scripted(server, "plain", TIME_OUT).await;
        function.proxy.delay(Duration::from_millis(15));
        let [sleep, ..] = slow(server);
        for path in ["/conn", "/tx", "/pool"] {
            function.script(path, &format!("cut {sleep}")).await;
            assert_ends(server, path).await;
        }
    }

    async fn it_ends_after_a_restart_of_the_server(server: &impl Server) {
        let function = scripted(server, "plain", TIME_OUT).await;
        let [sleep, ..] = slow(server);
        for path in ["/conn", "/pool"] {
            function.script(path, &format!("cut {sleep}")).await;
            server.restart().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            function.script(path, "raw select 1").await;
            function.script(path, &format!("cut {sleep}")).await;
            assert_ends(server, path).await;
        }
    }

    /// The second failure in a row replaces the connection.
    async fn it_ends_after_a_second_failure(server: &impl Server) {
        let function = scripted(server, "plain", TIME_OUT).await;
        let [sleep, ..] = slow(server);
        for path in ["/conn?end=fail", "/tx?end=fail", "/conn?end=500"] {
            function.script(path, "raw select 1").await;
            function.script(path, &format!("cut {sleep}")).await;
            assert_ends(server, path).await;
        }
    }

    async fn a_transaction_with_one_is_rolled_back(server: &impl Server) {
        let function = scripted(server, "plain", TIME_OUT).await;
        let [sleep, ..] = slow(server);
        for form in ["/tx", "/lease-tx"] {
            let begun = Instant::now();
            let script = format!("insert into notes values ('a')\ncut {sleep}");
            let answer = function.script(form, &script).await;
            let error = &answer.error().message;
            assert!(error.contains("abandoned"), "{form}: {error}");
            assert!(begun.elapsed() < Duration::from_secs(2), "{form}: {:?}", begun.elapsed());
            // A statement that ends meanwhile costs nothing else.
            let brief = sleep.replace("60", "0.3");
            let script = format!("insert into notes values ('b')\ncut {brief}");
            function.script(form, &script).await.ok();
        }
        assert_eq!(server.number("select count(*) from notes where text = 'a'").await, 0);
        assert_eq!(server.number("select count(*) from notes where text = 'b'").await, 2);
    }

    async fn a_sandbox_has_no_more_than_two_sessions(server: &impl Server) {
        let [sleep, ..] = slow(server);
        for path in PATHS {
            let function = scripted(server, "plain", TIME_OUT).await;
            for n in 0..5 {
                function.script(path, &format!("cut {sleep}")).await;
                let sessions = server.sessions().await.len();
                assert!(sessions <= 2, "{path} {n}: {sessions} sessions");
                let next = path.split('?').next().expect("a path");
                function.script(next, "raw select 1").await.ok();
            }
            drop(function);
            until("the end of its sessions", async || server.sessions().await.is_empty()).await;
        }
    }
}
