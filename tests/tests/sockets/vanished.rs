//! A server that vanishes in the middle of a statement is an error of that statement.

use std::time::{Duration, Instant};

use lambda_bench::lambda::{Event, Outcome};
use lambda_bench::wait::until;
use reuse_db_tests::descriptors::can_be_duplicated;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::on_each;

use super::scripted;

/// The limit for the error. The time limit of the function is 30 s.
const LIMIT: Duration = Duration::from_secs(15);

async fn is_an_error(server: &impl Server, form: &str) {
    if !can_be_duplicated() {
        return;
    }
    let function = scripted(server, "plain").await;
    let answer = function.script(form, "raw select 'warm'").await;
    assert_eq!(
        answer.status(),
        200,
        "{form}, the first invocation: {answer:?}"
    );
    let slow = if server.url().starts_with("postgres") {
        "raw select pg_sleep(100)"
    } else {
        "raw select sleep(100)"
    };
    let path = format!("{form}?error=response");
    let vanish = async {
        until("the slow statement", async || {
            let sessions = server.sessions().await;
            let mut states = sessions.iter().map(|session| &*session.state);
            states.any(|state| matches!(state, "active" | "Query"))
        })
        .await;
        function.proxy.vanish().await;
        Instant::now()
    };
    let invoke = async {
        let answer = function.sandbox.invoke(Event::post(&path, slow)).await;
        (answer, Instant::now())
    };
    let ((answer, ended), begun) = tokio::join!(invoke, vanish);
    let took = ended - begun;
    let Outcome::Http(http) = &answer.outcome else {
        panic!("{form}: no response of the handler after {took:?}: {answer:?}");
    };
    assert_eq!(http.status, 500, "{form}: after {took:?}: {answer:?}");
    assert!(
        took < LIMIT,
        "{form}: the error came after {took:?}: {answer:?}"
    );
    let text = answer.text();
    assert!(
        text.contains("timed out"),
        "{form}: the error does not say why: {text}"
    );
    function.sandbox.frozen().await;
    let answer = function.script(form, "raw select 'next'").await;
    assert_eq!(
        answer.status(),
        200,
        "{form}, the next invocation: {answer:?}"
    );
    assert_eq!(
        answer.json()["rows"][0],
        "next",
        "{form}, the next invocation"
    );
    assert_eq!(
        function.sandbox.starts(),
        1,
        "{form}: the process was replaced"
    );
}

on_each! {
    { on_postgres Postgres "", on_mysql Mysql "", on_postgres_over_tls Postgres "tls" }
    async fn a_vanished_server_is_an_error_within_15_s(server: &impl Server) {
        is_an_error(server, "/conn").await;
    }

    async fn a_vanished_server_is_an_error_of_a_pool_within_15_s(server: &impl Server) {
        is_an_error(server, "/pool").await;
    }
}
