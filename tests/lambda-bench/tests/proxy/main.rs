//! What the wire proxy promises, seen from a real client.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use lambda_bench::proxy::Proxy;
use lambda_bench::servers::{Mariadb, Postgres};
use lambda_bench::wait::{until, within};
use sqlx::{Connection as _, MySqlConnection, PgConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Long enough to believe that nothing comes: loopback takes far less than a millisecond.
const SILENCE: Duration = Duration::from_millis(300);

async fn to_postgres() -> (Proxy, String) {
    let postgres = Postgres::shared().await;
    let proxy = Proxy::start(postgres.addr()).await;
    let url = postgres.url_at(proxy.port());
    (proxy, url)
}

async fn connect(url: &str) -> PgConnection {
    within("a connection", PgConnection::connect(url))
        .await
        .expect("a connection")
}

async fn ask(db: &mut PgConnection) -> Result<i32, sqlx::Error> {
    let answer = sqlx::query_scalar("select $1").bind(7).fetch_one(db);
    within("an answer", answer).await
}

#[tokio::test]
async fn it_counts_postgres_round_trips() {
    let (proxy, url) = to_postgres().await;
    // Where TLS is compiled in, to ask the server for it would be a fourth.
    let mut db = connect(&format!("{url}?sslmode=disable")).await;
    assert_eq!(
        (proxy.round_trips(), proxy.connections(), proxy.open()),
        (3, 1, 1),
        "signing in with SCRAM"
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
    db.close().await.expect("a good end");
    until("the end of the first", async || proxy.open() == 1).await;
    assert_eq!(proxy.connections(), 2);
}

#[tokio::test]
async fn it_counts_mariadb_round_trips() {
    let mariadb = Mariadb::shared().await;
    let proxy = Proxy::start(mariadb.addr()).await;
    let mut db = MySqlConnection::connect(&mariadb.url_at(proxy.port()))
        .await
        .expect("a connection");
    let connecting = proxy.round_trips();
    let before = proxy.counts();
    for _ in 0..10 {
        db.ping().await.expect("a pong");
    }
    assert_eq!((proxy.counts() - before).round_trips, 10);
    // The greeting, which nobody asked for, is none: signing in is one, sqlx's `SET` of the
    // session's modes another.
    assert_eq!(connecting, 2);
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
async fn a_black_hole_swallows_what_is_open_and_only_that() {
    let (proxy, url) = to_postgres().await;
    let mut db = connect(&url).await;
    proxy.black_hole();
    assert!(
        timeout(SILENCE, ask(&mut db)).await.is_err(),
        "neither an answer nor an error"
    );
    proxy.resume();
    assert!(
        timeout(SILENCE, ask(&mut db)).await.is_err(),
        "it is for good"
    );
    let mut other = connect(&url).await;
    ask(&mut other).await.expect("new connections work");
    assert_eq!(proxy.open(), 2);
}

#[tokio::test]
async fn a_black_hole_takes_a_connection_that_waits_for_its_answer() {
    let (proxy, url) = to_postgres().await;
    let mut db = connect(&url).await;
    let before = proxy.counts();
    let sleeps = tokio::spawn(async move {
        sqlx::raw_sql("select pg_sleep(0.3)")
            .execute(&mut db)
            .await
            .is_ok()
    });
    until("the query on its way", async || {
        (proxy.counts() - before).bytes_up > 0
    })
    .await;
    proxy.black_hole();
    assert!(
        timeout(Duration::from_secs(1), sleeps).await.is_err(),
        "its answer did not come through"
    );
    assert_eq!((proxy.counts() - before).bytes_down, 0);
}

#[tokio::test]
async fn what_was_silenced_is_forgotten_and_only_that() {
    let (proxy, url) = to_postgres().await;
    let mut silenced = connect(&url).await;
    proxy.black_hole();
    let mut open = connect(&url).await;
    assert!(timeout(SILENCE, ask(&mut silenced)).await.is_err());
    proxy.forget();
    until("the end of the silenced one", async || proxy.open() == 1).await;
    assert!(ask(&mut silenced).await.is_err());
    ask(&mut open).await.expect("an answer");
}

#[tokio::test]
async fn new_connections_can_meet_silence() {
    let (proxy, url) = to_postgres().await;
    let mut db = connect(&url).await;
    proxy.black_hole_new(true);
    assert!(timeout(SILENCE, PgConnection::connect(&url)).await.is_err());
    assert_eq!(proxy.connections(), 2, "it was accepted");
    ask(&mut db).await.expect("the one open works");
    proxy.black_hole_new(false);
    connect(&url).await;
}

#[tokio::test]
async fn a_stall_lasts_until_it_is_resumed() {
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
async fn it_stalls_after_a_marker_which_arrives() {
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
async fn it_stalls_after_commit_was_answered() {
    let (proxy, url) = to_postgres().await;
    let mut db = connect(&url).await;
    proxy.stall_after("COMMIT");
    let transaction = within("a transaction", db.begin())
        .await
        .expect("a transaction");
    within("the answer with the marker", transaction.commit())
        .await
        .expect("it came through");
    assert!(
        timeout(SILENCE, db.ping()).await.is_err(),
        "and nothing after it"
    );
    proxy.resume();
}

#[tokio::test]
async fn a_reset_is_an_error_at_once() {
    let (proxy, url) = to_postgres().await;
    let mut db = connect(&url).await;
    proxy.reset().await;
    let error = within("the error", ask(&mut db))
        .await
        .expect_err("it was reset");
    assert!(
        matches!(&error, sqlx::Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionReset),
        "{error:?}"
    );
    assert_eq!(proxy.open(), 0);
    ask(&mut connect(&url).await)
        .await
        .expect("new connections work");
}

#[tokio::test]
async fn a_close_is_an_end_of_file() {
    let (mut client, mut server, proxy) = pair().await;
    proxy.close().await;
    assert_eq!(
        within("the end", client.read(&mut [0]))
            .await
            .expect("no RST"),
        0
    );
    assert_eq!(
        within("the end", server.read(&mut [0]))
            .await
            .expect("no RST"),
        0
    );
    assert_eq!(proxy.open(), 0);
}

#[tokio::test]
async fn ends_are_passed_on_both_ways() {
    let (mut client, mut server, _proxy) = pair().await;
    client.shutdown().await.expect("half closed");
    assert_eq!(
        within("the end", server.read(&mut [0]))
            .await
            .expect("a FIN"),
        0
    );
    server
        .write_all(b"bye")
        .await
        .expect("the other half is open");
    receive(&mut client, b"bye").await;
    drop(server);
    assert_eq!(
        within("the end", client.read(&mut [0]))
            .await
            .expect("a FIN"),
        0
    );
}

#[tokio::test]
async fn refused_connections_can_be_accepted_again() {
    let (proxy, url) = to_postgres().await;
    let mut db = connect(&url).await;
    proxy.refuse().await;
    let error = within("the refusal", PgConnection::connect(&url))
        .await
        .expect_err("nobody listens");
    assert!(
        matches!(&error, sqlx::Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused),
        "{error:?}"
    );
    ask(&mut db).await.expect("the one open goes on");
    proxy.accept().await;
    connect(&url).await;
}

#[tokio::test]
async fn new_connections_follow_a_failover() {
    let (mut old_client, mut old_server, proxy) = pair().await;
    let standby = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    proxy.retarget(standby.local_addr().expect("bound"));
    let _client = TcpStream::connect(proxy.addr())
        .await
        .expect("a connection");
    within("the connection to the other server", standby.accept())
        .await
        .expect("a connection");
    old_client.write_all(b"still").await.expect("sent");
    receive(&mut old_server, b"still").await;
}

#[tokio::test]
async fn the_end_of_a_client_can_be_kept_from_the_server() {
    let (client, mut server, proxy) = pair().await;
    proxy.swallow_client_end(true);
    drop(client);
    assert!(is_silent(&mut server).await);
    server.write_all(b"are you there?").await.expect("no RST");
    server.write_all(b"hello?").await.expect("no RST");
    assert!(is_silent(&mut server).await);
    assert_eq!(proxy.open(), 1);
    proxy.close().await;
}

#[tokio::test]
async fn a_server_that_is_away_resets_its_clients() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = nobody.local_addr().expect("bound");
    drop(nobody);
    let proxy = Proxy::start(addr).await;
    let mut client = TcpStream::connect(proxy.addr())
        .await
        .expect("the proxy accepts");
    let error = within("the end", client.read(&mut [0]))
        .await
        .expect_err("a RST");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

/// A client and a server with a proxy between them.
async fn pair() -> (TcpStream, TcpStream, Proxy) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let proxy = Proxy::start(listener.local_addr().expect("bound")).await;
    let client = TcpStream::connect(proxy.addr())
        .await
        .expect("a connection");
    let (server, _) = within("the proxy's connection", listener.accept())
        .await
        .expect("a connection");
    (client, server, proxy)
}

async fn receive(stream: &mut TcpStream, expected: &[u8]) {
    let mut bytes = vec![0; expected.len()];
    within("the bytes", stream.read_exact(&mut bytes))
        .await
        .expect("the bytes");
    assert_eq!(bytes, expected);
}

async fn is_silent(stream: &mut TcpStream) -> bool {
    timeout(SILENCE, stream.read(&mut [0])).await.is_err()
}
