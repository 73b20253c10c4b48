//! The end of an abandoned statement reaches no session but its own.

use std::time::Duration;

use lambda_bench::servers::Mysql;
use lambda_bench::wait::until;
use sqlx::{Connection as _, MySqlConnection};

use super::*;

const TIME_OUT: Duration = Duration::from_secs(30);

/// Sessions that a server gives numbers before the function's. A server that has just started has
/// given fewer.
const EARLIER: usize = 40;

async fn session(server: &Mysql) -> (u64, MySqlConnection) {
    let mut session = MySqlConnection::connect(&server.url())
        .await
        .expect("a session");
    let number = sqlx::query_scalar("select connection_id()");
    (
        number.fetch_one(&mut session).await.expect("a number"),
        session,
    )
}

/// Returns a session with the number of another one.
async fn stranger(server: &Mysql, number: u64) -> MySqlConnection {
    loop {
        let (own, session) = session(server).await;
        if own == number {
            return session;
        }
        assert!(
            own < number,
            "the server has given its number {number} to another session"
        );
        session.close().await.expect("an end");
    }
}

/// Starts a function, and returns the number of its session.
async fn warm(server: &Mysql, path: &str) -> (Function, u64) {
    for _ in 0..EARLIER {
        session(server).await.1.close().await.expect("an end");
    }
    let function = scripted(server, "plain", TIME_OUT).await;
    let answer = function
        .script(path, "select cast(connection_id() as char)")
        .await;
    let number = answer.json()["rows"][0].as_str().map(str::parse);
    (function, number.expect("a row").expect("a number"))
}

/// Asserts that the function has opened a connection for its KILL, and that the KILL has not
/// reached the stranger.
async fn assert_spared(function: &Function, connections: u64, mut stranger: MySqlConnection) {
    until("the connection of the KILL", async || {
        function.proxy.connections() > connections
    })
    .await;
    function.sandbox.frozen().await;
    stranger.ping().await.expect("the stranger's session");
}

#[tokio::test]
async fn a_session_of_another_server_with_the_same_number_is_spared() {
    let (server, other) = (Mysql::launch().await, Mysql::launch().await);
    for path in ["/conn", "/pool"] {
        let (function, number) = warm(&server, path).await;
        let stranger = stranger(&other, number).await;
        function.proxy.retarget(other.addr());
        let connections = function.proxy.connections();
        function.script(path, "cut select sleep(60)").await.ok();
        assert_spared(&function, connections, stranger).await;
    }
}

#[tokio::test]
async fn a_session_of_a_restarted_server_with_the_same_number_is_spared() {
    let server = Mysql::launch().await;
    for path in ["/conn", "/pool"] {
        let (function, number) = warm(&server, path).await;
        let connections = function.proxy.connections();
        let restarted = async {
            until("the statement", async || running(&server).await == 1).await;
            // The function does not learn of the end.
            function.proxy.black_hole();
            server.restart().await;
            stranger(&server, number).await
        };
        // The handler goes on while the server restarts.
        let script = "cut select sleep(60)\nsleep 5000";
        let (answer, stranger) = tokio::join!(function.script(path, script), restarted);
        answer.ok();
        assert_spared(&function, connections, stranger).await;
    }
}
