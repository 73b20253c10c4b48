//! Round trips, connections and bytes are counted.

use lambda_bench::proxy::{Proxy, Side};
use lambda_bench::servers::Mysql;
use lambda_bench::wait::until;
use sqlx::{Connection as _, MySqlConnection};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{ask, connect, pair, receive, to_postgres};

#[tokio::test]
async fn postgres_round_trips_are_counted() {
    let (proxy, url) = to_postgres().await;
    // Requesting TLS would be a fourth round trip.
    let mut db = connect(&format!("{url}?sslmode=disable")).await;
    assert_eq!(
        (proxy.round_trips(), proxy.connections(), proxy.open()),
        (3, 1, 1),
        "round trips to sign in with SCRAM"
    );
    for (nth, round_trips) in [(1, 2), (2, 1), (3, 1)] {
        let before = proxy.counts();
        ask(&mut db).await.expect("an answer");
        assert_eq!(
            (proxy.counts() - before).round_trips,
            round_trips,
            "query {nth}"
        );
    }
    let before = proxy.counts();
    for _ in 0..100 {
        ask(&mut db).await.expect("an answer");
    }
    let since = proxy.counts() - before;
    assert_eq!((since.round_trips, since.connections), (100, 0));
    assert!(
        since.bytes_up > 1_000 && since.bytes_down > 1_000,
        "{since:?}"
    );

    let _second = connect(&url).await;
    assert_eq!((proxy.connections(), proxy.open()), (2, 2));
    db.close().await.expect("an orderly end");
    until("the end of the first connection", async || {
        proxy.open() == 1
    })
    .await;
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test]
async fn mysql_round_trips_are_counted() {
    let mysql = Mysql::shared().await;
    // To MySQL, a user's first sign-in takes more round trips.
    drop(MySqlConnection::connect(&mysql.url()).await);
    let proxy = Proxy::start(mysql.addr()).await;
    let mut db = MySqlConnection::connect(&mysql.url_at(proxy.port()))
        .await
        .expect("a connection");
    let connecting = proxy.round_trips();
    let before = proxy.counts();
    for _ in 0..10 {
        db.ping().await.expect("a pong");
    }
    assert_eq!((proxy.counts() - before).round_trips, 10);
    // The greeting is not a round trip. Signing in is one, sqlx's `SET` of the session's modes is
    // another.
    assert_eq!(connecting, 2);
}

#[tokio::test]
async fn turns_are_recorded_on_request() {
    let (mut client, mut server, proxy) = pair().await;
    client.write_all(b"unrecorded").await.expect("sent");
    receive(&mut server, b"unrecorded").await;
    assert_eq!(proxy.turns(), []);
    proxy.record_turns();
    for piece in [b"one", b"two"] {
        client.write_all(piece).await.expect("sent");
        receive(&mut server, piece).await;
    }
    server.write_all(b"uno").await.expect("sent");
    receive(&mut client, b"uno").await;
    let _other = TcpStream::connect(proxy.addr()).await.expect("connected");
    until("the other connection", async || proxy.turns().len() == 3).await;
    let turns = proxy.turns();
    let sides: Vec<Side> = turns.iter().map(|turn| turn.by).collect();
    assert_eq!(sides, [Side::Client, Side::Server, Side::Connecting]);
    assert!(turns.is_sorted_by_key(|turn| turn.at), "{turns:?}");
}

#[tokio::test]
async fn an_answer_in_pieces_is_one_round_trip() {
    let (mut client, mut server, proxy) = pair().await;
    for piece in [b"one", b"two"] {
        client.write_all(piece).await.expect("sent");
        receive(&mut server, piece).await;
    }
    for piece in [b"uno", b"due"] {
        server.write_all(piece).await.expect("sent");
        receive(&mut client, piece).await;
    }
    let counts = proxy.counts();
    assert_eq!(
        (counts.round_trips, counts.bytes_up, counts.bytes_down),
        (1, 6, 6)
    );
}
