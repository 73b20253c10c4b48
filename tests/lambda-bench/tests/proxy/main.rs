//! The promises of the proxy, as real clients see them.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod counts;
mod endings;
mod silence;
mod vanishing;

use std::time::Duration;

use lambda_bench::proxy::Proxy;
use lambda_bench::servers::Postgres;
use lambda_bench::wait::within;
use socket2::{SockRef, TcpKeepalive};
use sqlx::{Connection as _, PgConnection};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// The time after which a connection counts as silent. Loopback takes far less than 1 ms.
const SILENCE: Duration = Duration::from_millis(200);

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

/// Returns a client and a server with a proxy between them.
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

/// Lets the kernel give `stream` up after about 2 s without an ACK.
fn give_up_soon(stream: &TcpStream) {
    let second = Duration::from_secs(1);
    let keepalive = TcpKeepalive::new()
        .with_time(second)
        .with_interval(second)
        .with_retries(2);
    let socket = SockRef::from(stream);
    socket.set_tcp_keepalive(&keepalive).expect("set");
    socket.set_tcp_user_timeout(Some(second * 2)).expect("set");
}

async fn is_silent(stream: &mut TcpStream) -> bool {
    timeout(SILENCE, stream.read(&mut [0])).await.is_err()
}
