//! A sandbox closes its connections while the server is nearly full.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod function;

use function::server::Server;
use function::{Function, Reply};
use lambda_bench::servers::{Mariadb, Postgres};
use lambda_bench::wait::until;
use sqlx::{Connection as _, MySqlConnection, PgConnection};

async fn session(function: &Function, path: &str) -> i64 {
    Reply::of(&function.invoke(path).await).session
}

/// Starts a server with ten connections. The threshold is five.
async fn ten_in_postgres() -> Postgres {
    Postgres::builder()
        .setting("max_connections", "13")
        .start()
        .await
}

async fn ten_in_mariadb() -> Mariadb {
    Mariadb::builder()
        .setting("max-connections", "10")
        .start()
        .await
}

async fn closes_its_connections<C>(server: &impl Server, others: Vec<C>) {
    let function = Function::start(server).await;
    let busy = others.len();
    for _ in 0..3 {
        session(&function, "/shedding").await;
    }
    until("its own connection to be closed", async || {
        server.sessions().await.len() == busy
    })
    .await;
    let reply = Reply::of(&function.invoke("/shedding").await);
    assert!(
        reply.stat("opened") > 1 && reply.stat("unavailable") == 0,
        "{reply:?}"
    );

    drop(others);
    until("room", async || server.sessions().await.is_empty()).await;
    let kept = session(&function, "/shedding").await;
    for _ in 0..3 {
        assert_eq!(session(&function, "/shedding").await, kept, "there is room");
    }
    // One statement, and one question after the response.
    let before = function.proxy.round_trips();
    session(&function, "/shedding").await;
    assert_eq!(function.proxy.round_trips() - before, 2);
}

#[tokio::test]
async fn its_own_connections_are_closed_on_postgres() {
    let server = ten_in_postgres().await;
    let mut others = Vec::new();
    for _ in 0..5 {
        others.push(
            PgConnection::connect(&server.url())
                .await
                .expect("a connection"),
        );
    }
    closes_its_connections(&server, others).await;
}

#[tokio::test]
async fn its_own_connections_are_closed_on_mariadb() {
    let server = ten_in_mariadb().await;
    let mut others = Vec::new();
    for _ in 0..5 {
        others.push(
            MySqlConnection::connect(&server.url())
                .await
                .expect("a connection"),
        );
    }
    closes_its_connections(&server, others).await;
}

#[tokio::test]
async fn the_users_limit_counts_on_mariadb() {
    let server = Mariadb::start().await;
    server
        .execute("alter user app@'%' with max_user_connections 10")
        .await;
    let mut others = Vec::new();
    for _ in 0..5 {
        others.push(
            MySqlConnection::connect(&server.url())
                .await
                .expect("a connection"),
        );
    }
    closes_its_connections(&server, others).await;
}
