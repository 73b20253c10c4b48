//! Resets, closes, refusals and failovers.

use lambda_bench::proxy::Proxy;
use lambda_bench::wait::within;
use sqlx::{Connection as _, PgConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{ask, connect, is_silent, pair, receive, to_postgres};

#[tokio::test]
async fn a_reset_is_an_error_at_once() {
    let (proxy, url) = to_postgres().await;
    let mut db = connect(&url).await;
    proxy.reset().await;
    let error = within("the error", ask(&mut db))
        .await
        .expect_err("the connection was reset");
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
async fn a_close_is_an_end_of_file_on_both_sides() {
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
async fn the_end_of_each_side_is_passed_on() {
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
        .expect_err("the port is closed");
    assert!(
        matches!(&error, sqlx::Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused),
        "{error:?}"
    );
    ask(&mut db).await.expect("the open connection works");
    proxy.accept().await;
    connect(&url).await;
}

#[tokio::test]
async fn only_new_connections_follow_a_failover() {
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
async fn the_end_of_a_client_can_be_hidden_from_the_server() {
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
async fn a_server_that_does_not_run_resets_its_clients() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("bound");
    drop(listener);
    let proxy = Proxy::start(addr).await;
    let mut client = TcpStream::connect(proxy.addr())
        .await
        .expect("the proxy accepts");
    let error = within("the end", client.read(&mut [0]))
        .await
        .expect_err("a RST");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}
