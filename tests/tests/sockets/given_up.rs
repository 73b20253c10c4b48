//! A connection that is given up while sqlx waits on it leaves no socket behind.

use std::time::Duration;

use lambda_bench::lambda::Event;
use lambda_bench::wait::until;
use reuse_db_tests::descriptors::{can_be_duplicated, sockets_to};
use reuse_db_tests::function::server::Server;
use reuse_db_tests::on_each;
use reuse_db_tests::stress::sockets::aging;
use tokio::time::sleep;

use super::scripted;

const ROUNDS: usize = 3;

/// The time of a packet in each direction. The release's message is under way when the response
/// arrives. Signing in over TLS takes six round trips, and has 2 s.
const DELAY: Duration = Duration::from_millis(60);

/// A second more than the limit of the work after a response.
const AFTER_THE_LIMIT: Duration = Duration::from_millis(1_500);

/// Nothing passes from the response on, so that the message of the release gets no answer.
///
/// The process must have at most one socket to the server one second after the limit, and after
/// the next invocation. Once the client's FIN may pass again, the server keeps `kept` sessions.
async fn leaves_no_socket(server: &impl Server, source: &str, form: &str, kept: usize) {
    if !can_be_duplicated() {
        return;
    }
    let function = scripted(server, source).await;
    let open = || sockets_to(function.sandbox.pid(), function.proxy.port());
    for n in 0..4 {
        let what = format!("{source} {form}, warm invocation {n}");
        let answer = function.script(form, &aging(server, "warm")).await;
        assert_eq!(answer.status(), 200, "{what}: {answer:?}");
    }
    for n in 1..=ROUNDS {
        let what = format!("{source} {form}, round {n}");
        function.proxy.delay(DELAY);
        let event = Event::post(form, aging(server, "last words"));
        let answer = function.sandbox.invoke(event).await;
        function.proxy.stall();
        function.proxy.delay(Duration::ZERO);
        assert_eq!(answer.status(), 200, "{what}: {answer:?}");
        sleep(AFTER_THE_LIMIT).await;
        let left = open();
        assert!(
            left <= 1,
            "{what}: {left} sockets one second after the limit"
        );
        function.sandbox.frozen().await;
        let answer = function
            .script(form, &aging(server, &format!("own {n}")))
            .await;
        assert_eq!(
            answer.status(),
            200,
            "{what}, the next invocation: {answer:?}"
        );
        let rows = &answer.json()["rows"];
        assert_eq!(rows[0], format!("own {n}"), "{what}, the next invocation");
        // Work after the response may have a connection of its own until then.
        function.sandbox.frozen().await;
        let left = open();
        assert!(
            left <= 1,
            "{what}: {left} sockets after the next invocation"
        );
    }
    assert_eq!(function.sandbox.starts(), 1, "the process was replaced");
    let stalled = function.proxy.open();
    function.proxy.resume();
    let what = format!(
        "{source} {form}: the end of all sessions but {kept}: {stalled} were open, the clients of \
         some have not closed their sockets"
    );
    until(what, async || server.sessions().await.len() == kept).await;
}

on_each! {
    {
        on_postgres Postgres "", on_mysql Mysql "",
        on_postgres_over_tls Postgres "tls", on_mysql_over_tls Mysql "tls"
    }
    async fn a_pools_ping_without_an_answer_leaves_no_socket(server: &impl Server) {
        leaves_no_socket(server, "plain", "/pool", 1).await;
    }

    /// The wait for the ping is aborted: the work after a response may take 500 ms only.
    async fn a_ping_that_outlasts_the_work_after_a_response_leaves_no_socket(server: &impl Server) {
        leaves_no_socket(server, "patient", "/pool", 1).await;
    }

    /// The connection is too old. Over TLS, sqlx waits for the server's end of the session.
    async fn a_close_without_an_answer_leaves_no_socket(server: &impl Server) {
        leaves_no_socket(server, "short_lived", "/conn", 0).await;
    }

    async fn a_pools_close_without_an_answer_leaves_no_socket(server: &impl Server) {
        leaves_no_socket(server, "short_lived", "/pool", 0).await;
    }
}
