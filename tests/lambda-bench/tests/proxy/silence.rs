//! Delays, black holes and stalls.

use std::time::{Duration, Instant};

use lambda_bench::wait::{until, within};
use sqlx::{Connection as _, PgConnection};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::{SILENCE, ask, connect, is_silent, pair, receive, to_postgres};

#[tokio::test]
async fn a_delay_is_added_each_way() {
    let (proxy, url) = to_postgres().await;
    let mut db = connect(&url).await;
    ask(&mut db).await.expect("prepared");
    proxy.delay(Duration::from_millis(100));
    let start = Instant::now();
    ask(&mut db).await.expect("an answer");
    let took = start.elapsed();
    assert!(
        (Duration::from_millis(200)..Duration::from_secs(2)).contains(&took),
        "{took:?}"
    );
}

#[tokio::test]
async fn a_black_hole_silences_only_open_connections() {
    let (proxy, url) = to_postgres().await;
    let mut db = connect(&url).await;
    proxy.black_hole();
    assert!(
        timeout(SILENCE, ask(&mut db)).await.is_err(),
        "a black-holed connection has an answer or an error"
    );
    proxy.resume();
    assert!(
        timeout(SILENCE, ask(&mut db)).await.is_err(),
        "a black-holed connection was resumed"
    );
    let mut other = connect(&url).await;
    ask(&mut other).await.expect("new connections work");
    assert_eq!(proxy.open(), 2);
}

#[tokio::test]
async fn a_black_hole_silences_a_connection_that_awaits_its_answer() {
    let (proxy, url) = to_postgres().await;
    let mut db = connect(&url).await;
    let before = proxy.counts();
    let sleeps = tokio::spawn(async move {
        sqlx::raw_sql("select pg_sleep(0.3)")
            .execute(&mut db)
            .await
            .is_ok()
    });
    until("the query", async || (proxy.counts() - before).bytes_up > 0).await;
    proxy.black_hole();
    assert!(
        timeout(Duration::from_secs(1), sleeps).await.is_err(),
        "the answer was passed on"
    );
    assert_eq!((proxy.counts() - before).bytes_down, 0);
}

#[tokio::test]
async fn forget_closes_only_silenced_connections() {
    let (proxy, url) = to_postgres().await;
    let mut silenced = connect(&url).await;
    proxy.black_hole();
    let mut open = connect(&url).await;
    assert!(timeout(SILENCE, ask(&mut silenced)).await.is_err());
    proxy.forget();
    until("the end of the silenced connection", async || {
        proxy.open() == 1
    })
    .await;
    assert!(ask(&mut silenced).await.is_err());
    ask(&mut open).await.expect("an answer");
}

#[tokio::test]
async fn new_connections_can_be_black_holed() {
    let (proxy, url) = to_postgres().await;
    let mut db = connect(&url).await;
    proxy.black_hole_new(true);
    assert!(timeout(SILENCE, PgConnection::connect(&url)).await.is_err());
    assert_eq!(
        proxy.connections(),
        2,
        "the new connection was not accepted"
    );
    ask(&mut db).await.expect("the open connection works");
    proxy.black_hole_new(false);
    connect(&url).await;
}

#[tokio::test]
async fn a_stall_lasts_until_resume() {
    let (proxy, url) = to_postgres().await;
    let mut db = connect(&url).await;
    ask(&mut db).await.expect("prepared");
    proxy.stall();
    let mut query = std::pin::pin!(ask(&mut db));
    assert!(timeout(SILENCE, &mut query).await.is_err());
    proxy.resume();
    assert_eq!(
        within("the answer", query).await.expect("nothing is lost"),
        7
    );
}

#[tokio::test]
async fn a_connection_stalls_after_a_marker_once() {
    let (mut client, mut server, proxy) = pair().await;
    proxy.stall_after("mark");
    server.write_all(b"no ma").await.expect("sent");
    receive(&mut client, b"no ma").await;
    server.write_all(b"rk here").await.expect("sent");
    receive(&mut client, b"rk here").await;
    server.write_all(b"more").await.expect("sent");
    client.write_all(b"more").await.expect("sent");
    assert!(is_silent(&mut client).await && is_silent(&mut server).await);
    proxy.resume();
    receive(&mut client, b"more").await;
    receive(&mut server, b"more").await;
    server.write_all(b"mark").await.expect("sent");
    receive(&mut client, b"mark").await;
    client.write_all(b"once").await.expect("sent");
    receive(&mut server, b"once").await;
}

#[tokio::test]
async fn a_connection_stalls_after_its_commit_was_answered() {
    let (proxy, url) = to_postgres().await;
    let mut db = connect(&url).await;
    proxy.stall_after("COMMIT");
    let transaction = within("a transaction", db.begin())
        .await
        .expect("a transaction");
    within("the answer with the marker", transaction.commit())
        .await
        .expect("the answer is passed on");
    assert!(
        timeout(SILENCE, db.ping()).await.is_err(),
        "bytes after the marker were passed on"
    );
    proxy.resume();
}
