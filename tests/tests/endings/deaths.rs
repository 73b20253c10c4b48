//! A sandbox that dies sends no FIN. What it held at the server ends soon.

use std::time::Duration;

use lambda_bench::lambda::Event;
use lambda_bench::wait::until;
use reuse_db_tests::on_each_server;
use tokio::time::Instant;

use super::*;

const TIME_OUT: Duration = Duration::from_secs(2);

/// The longest time that a lock or a statement stays.
const LONGEST: Duration = Duration::from_secs(4);

/// Kills a sandbox in the middle of a script. No FIN reaches the server.
async fn killed_in(server: &impl Server, form: &str, script: &str) -> (Function, Instant) {
    let function = scripted(server, "plain", TIME_OUT).await;
    function.proxy.swallow_client_end(true);
    let event = Event::post(form, script);
    let kill = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let begun = Instant::now();
        function.sandbox.kill().await;
        begun
    };
    let (_, begun) = tokio::join!(function.sandbox.invoke(event), kill);
    (function, begun)
}

on_each_server! {
    async fn a_lock_is_released(server: &impl Server) {
        let function = scripted(server, "plain", TIME_OUT).await;
        function.script("/conn", "insert into notes values ('a')").await.ok();
        for form in ["/tx", "/lease-tx", "/conn"] {
            let script = if form == "/conn" {
                "raw begin\nupdate notes set text = 'b'\nsleep 60000"
            } else {
                "update notes set text = 'b'\nsleep 60000"
            };
            let (_function, begun) = killed_in(server, form, script).await;
            let in_transaction = async || {
                server.sessions().await.iter().any(|session| session.in_transaction)
            };
            assert!(in_transaction().await, "{form}");
            until("the end of the transaction", async || !in_transaction().await).await;
            assert!(begun.elapsed() < LONGEST, "{form}: {:?}", begun.elapsed());
        }
        assert_eq!(server.number("select count(*) from notes where text = 'a'").await, 1);
    }

    async fn a_statement_is_ended(server: &impl Server) {
        let sleep = if server.url().starts_with("postgres") {
            "raw select pg_sleep(60)"
        } else {
            "raw select sleep(60)"
        };
        for form in ["/conn", "/tx", "/pool", "/lease"] {
            let (_function, begun) = killed_in(server, form, sleep).await;
            assert_eq!(running(server).await, 1, "{form}");
            until("the end of the statement", async || running(server).await == 0).await;
            assert!(begun.elapsed() < LONGEST, "{form}: {:?}", begun.elapsed());
        }
    }
}
