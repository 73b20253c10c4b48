//! A sandbox closes its connections while the server is nearly full.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, with a message"
)]

use lambda_bench::servers::{Mariadb, Postgres};
use lambda_bench::wait::until;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, Reply};
use sqlx::{Connection, MySqlConnection, PgConnection};

/// The threshold of the route `/shedding`, on a server with ten connections.
const THRESHOLD: usize = 5;

async fn session(function: &Function) -> i64 {
    Reply::of(&function.invoke("/shedding").await).session
}

async fn closes_its_connections<C: Connection>(server: &impl Server) {
    let mut others = Vec::new();
    for _ in 0..THRESHOLD {
        let other = C::connect(&server.url()).await;
        others.push(other.expect("a connection"));
    }
    let function = Function::start(server).await;
    for _ in 0..3 {
        session(&function).await;
    }
    until("the end of its own session", async || {
        server.sessions().await.len() == THRESHOLD
    })
    .await;
    let reply = Reply::of(&function.invoke("/shedding").await);
    assert!(reply.stat("opened") > 1, "{reply:?}");
    assert_eq!(reply.stat("unavailable"), 0, "{reply:?}");

    drop(others);
    until("room", async || server.sessions().await.is_empty()).await;
    let kept = session(&function).await;
    for _ in 0..3 {
        assert_eq!(session(&function).await, kept, "there is room");
    }
    let before = function.proxy.round_trips();
    session(&function).await;
    let round_trips = function.proxy.round_trips() - before;
    assert_eq!(
        round_trips, 2,
        "a statement, and a load query after the response"
    );
}

#[tokio::test]
async fn a_sandbox_closes_its_connections_on_a_full_postgres() {
    // Three of thirteen connections are reserved for administrators.
    let server = Postgres::builder()
        .setting("max_connections", "13")
        .start()
        .await;
    closes_its_connections::<PgConnection>(&server).await;
}

#[tokio::test]
async fn a_sandbox_closes_its_connections_on_a_full_mariadb() {
    let server = Mariadb::builder()
        .setting("max-connections", "10")
        .start()
        .await;
    closes_its_connections::<MySqlConnection>(&server).await;
}

#[tokio::test]
async fn a_sandbox_closes_its_connections_near_the_users_limit_on_mariadb() {
    let server = Mariadb::start().await;
    server
        .execute("alter user app@'%' with max_user_connections 10")
        .await;
    closes_its_connections::<MySqlConnection>(&server).await;
}
