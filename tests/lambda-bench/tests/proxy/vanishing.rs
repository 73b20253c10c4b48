//! Peers that vanish with their kernels.

use std::io;
use std::time::Duration;

use lambda_bench::wait::{until, within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{SILENCE, ask, connect, give_up_soon, is_silent, pair, receive, to_postgres};

/// More than twice the time after which the kernel gives up.
const LONG_SILENCE: Duration = Duration::from_secs(5);

async fn times_out(stream: &mut TcpStream, what: &str) {
    let error = within(what, stream.read(&mut [0]))
        .await
        .expect_err("the peer has vanished");
    assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{what}: {error}");
}

#[tokio::test]
async fn an_idle_connection_to_a_vanished_peer_times_out() {
    let (mut client, mut server, proxy) = pair().await;
    give_up_soon(&client);
    give_up_soon(&server);
    client.write_all(b"hello").await.expect("sent");
    receive(&mut server, b"hello").await;
    proxy.vanish().await;
    times_out(&mut client, "the end of the client's connection").await;
    times_out(&mut server, "the end of the server's connection").await;
}

#[tokio::test]
async fn data_to_a_vanished_peer_times_out() {
    let (mut client, mut server, proxy) = pair().await;
    give_up_soon(&client);
    give_up_soon(&server);
    proxy.vanish().await;
    client.write_all(b"lost").await.expect("queued");
    server.write_all(b"lost").await.expect("queued");
    times_out(&mut client, "the end of the client's connection").await;
    times_out(&mut server, "the end of the server's connection").await;
}

/// The kernel of a black hole acknowledges data and keepalive probes.
#[tokio::test]
async fn a_connection_into_a_black_hole_does_not_time_out() {
    let (mut client, mut server, proxy) = pair().await;
    give_up_soon(&client);
    give_up_soon(&server);
    proxy.black_hole();
    client.write_all(b"lost").await.expect("sent");
    let (from_client, from_server) = (&mut [0], &mut [0]);
    let ends = async {
        tokio::select! {
            end = client.read(from_client) => end,
            end = server.read(from_server) => end,
        }
    };
    let end = timeout(LONG_SILENCE, ends).await;
    assert!(end.is_err(), "the connection has ended: {end:?}");
}

#[tokio::test]
async fn the_end_of_one_side_does_not_reach_the_other() {
    let (client, mut server, proxy) = pair().await;
    proxy.vanish().await;
    drop(client);
    assert!(is_silent(&mut server).await, "the server has seen the end");
    assert_eq!(proxy.open(), 1, "a vanished connection stays open");
}

#[tokio::test]
async fn new_connections_work_after_a_peer_has_vanished() {
    let (proxy, url) = to_postgres().await;
    let mut db = connect(&url).await;
    proxy.vanish().await;
    assert!(
        timeout(SILENCE, ask(&mut db)).await.is_err(),
        "a vanished peer has answered"
    );
    let mut other = connect(&url).await;
    ask(&mut other).await.expect("new connections work");
    proxy.forget();
    until("the end of the vanished connection", async || {
        proxy.open() == 1
    })
    .await;
    assert!(ask(&mut db).await.is_err(), "a forgotten connection works");
    ask(&mut other).await.expect("the other connection works");
}

#[tokio::test]
async fn new_connections_can_get_no_answer_at_all() {
    let (mut client, mut server, proxy) = pair().await;
    proxy.vanish_new(true);
    let connecting = TcpStream::connect(proxy.addr());
    assert!(
        timeout(SILENCE, connecting).await.is_err(),
        "a vanished proxy has answered a SYN"
    );
    assert_eq!(proxy.connections(), 1, "the connection was accepted");
    client.write_all(b"still here").await.expect("sent");
    receive(&mut server, b"still here").await;
    proxy.vanish_new(false);
    within("a connection", TcpStream::connect(proxy.addr()))
        .await
        .expect("new connections work again");
}
