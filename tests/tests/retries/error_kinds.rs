//! Every refusal of a real server, and its [`ErrorKind`].

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use lambda_bench::proxy::Proxy;
use lambda_bench::servers::{Mysql, PgBouncer, Postgres};
use lambda_bench::wait::{until, within};
use reuse_db::{Error, ErrorKind, Source};
use reuse_db_tests::statics::{exclusive, source};
use sqlx::{Connection as _, MySqlConnection, PgConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::{fill, listener};

/// Connects as a lease does, in one attempt.
async fn connect<C: reuse_db::Connect>(source: &Source) -> Result<C, Error> {
    within("an answer", C::connect(source)).await
}

async fn error<C: reuse_db::Connect>(source: &Source) -> Error {
    let Err(error) = connect::<C>(source).await else {
        panic!("{source:?} is not refused");
    };
    let text = error.to_string();
    let is_secret = text.contains("s3cret") || text.contains("wr0ng");
    assert!(!is_secret, "{text}");
    error
}

async fn is<C: reuse_db::Connect>(source: &Source, kind: ErrorKind, text: &str) {
    let error = error::<C>(source).await;
    assert_eq!(error.kind(), Some(kind), "{error}");
    assert!(error.to_string().contains(text), "{error}");
}

async fn postgres_is(url: &str, kind: ErrorKind, text: &str) {
    is::<PgConnection>(&source(url), kind, text).await;
}

async fn mysql_is(url: &str, kind: ErrorKind, text: &str) {
    is::<MySqlConnection>(&source(url), kind, text).await;
}

fn pooler(url: &str) -> Source {
    source(url).transaction_pooler()
}

async fn pgbouncer_is(url: &str, kind: ErrorKind, text: &str) {
    is::<PgConnection>(&pooler(url), kind, text).await;
}

#[tokio::test]
async fn a_port_that_refuses_resets_or_hangs_up_is_unavailable() {
    let server = Postgres::start().await;
    let proxy = Proxy::start(server.addr()).await;
    proxy.refuse().await;
    let url = server.url_at(proxy.port());
    postgres_is(&url, ErrorKind::Unavailable, "Connection refused").await;
    mysql_is(
        &url.replace("postgres:", "mysql:"),
        ErrorKind::Unavailable,
        "Connection refused",
    )
    .await;
    // Without its server, the proxy resets each connection.
    proxy.accept().await;
    server.stop().await;
    is::<PgConnection>(&source(&url), ErrorKind::Unavailable, "").await;

    let (listener, port) = listener().await;
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    is::<PgConnection>(&source(server.url_at(port)), ErrorKind::Unavailable, "").await;
}

#[tokio::test]
async fn a_host_name_without_an_address_is_unavailable() {
    is::<PgConnection>(
        &source("postgres://app:s3cret@no-such-host.invalid/app"),
        ErrorKind::Unavailable,
        "",
    )
    .await;
    is::<MySqlConnection>(
        &source("mysql://app:s3cret@no-such-host.invalid/app"),
        ErrorKind::Unavailable,
        "",
    )
    .await;
}

#[tokio::test]
async fn a_full_postgres_is_saturated() {
    let server = Postgres::builder()
        .setting("max_connections", "5")
        .start()
        .await;
    server.execute("alter role app connection limit 0").await;
    postgres_is(
        &server.url(),
        ErrorKind::Saturated,
        "too many connections for role",
    )
    .await;
    server.execute("alter role app connection limit -1").await;
    server
        .execute("alter database app connection limit 0")
        .await;
    postgres_is(
        &server.url(),
        ErrorKind::Saturated,
        "too many connections for database",
    )
    .await;
    server
        .execute("alter database app connection limit -1")
        .await;
    let _held = fill::<PgConnection>(&server.url()).await;
    postgres_is(
        &server.url(),
        ErrorKind::Saturated,
        "remaining connection slots",
    )
    .await;
}

#[tokio::test]
async fn a_postgres_that_starts_or_stops_is_unavailable() {
    let server = Postgres::builder()
        .setting("hot_standby", "off")
        .start()
        .await;
    let url = server.url();
    let held = PgConnection::connect(&url).await.expect("a connection");
    // This shutdown waits for open connections.
    let pid = server.pid().expect("a running server").to_string();
    let status = std::process::Command::new("kill")
        .args(["-TERM", &pid])
        .status();
    assert!(status.is_ok_and(|status| status.success()));
    until("the shutdown", async || {
        PgConnection::connect(&url).await.is_err()
    })
    .await;
    postgres_is(&url, ErrorKind::Unavailable, "shutting down").await;
    drop(held);

    let server = Postgres::builder()
        .setting("hot_standby", "off")
        .start()
        .await;
    server.stop().await;
    // A standby that is no hot standby recovers for ever, as after a crash, and accepts nobody.
    std::fs::write(server.folder().join("data/standby.signal"), "").expect("our folder");
    let start = tokio::time::timeout(Duration::from_secs(2), server.start_again());
    assert!(start.await.is_err(), "the server accepts nobody");
    postgres_is(
        &server.url(),
        ErrorKind::Unavailable,
        "the database system is",
    )
    .await;
}

#[tokio::test]
async fn a_permanent_error_of_postgres_is_rejected() {
    let server = Postgres::start().await;
    let url = server.url();
    postgres_is(
        &url.replace("s3cret", "wr0ng"),
        ErrorKind::Rejected,
        "password authentication failed",
    )
    .await;
    postgres_is(
        &format!("{url}_of_nobody"),
        ErrorKind::Rejected,
        "does not exist",
    )
    .await;
    postgres_is(
        &format!("{url}?sslmode=require"),
        ErrorKind::Rejected,
        "TLS",
    )
    .await;
    server.execute("alter role app nologin").await;
    postgres_is(&url, ErrorKind::Rejected, "not permitted to log in").await;
    server.execute("alter role app login").await;
}

#[tokio::test]
async fn a_full_mysql_server_is_saturated() {
    let server = Mysql::builder()
        .setting("max-connections", "10")
        .setting("max-user-connections", "100")
        .start()
        .await;
    let url = server.url();
    server.execute("set global max_user_connections = 1").await;
    let held = MySqlConnection::connect(&url).await.expect("a connection");
    mysql_is(&url, ErrorKind::Saturated, "max_user_connections").await;
    held.close().await.expect("an end");
    server
        .execute("set global max_user_connections = 100")
        .await;
    server
        .execute("alter user app@'%' with max_connections_per_hour 1")
        .await;
    server.execute("flush user_resources").await;
    let _first = MySqlConnection::connect(&url).await;
    mysql_is(&url, ErrorKind::Saturated, "max_connections_per_hour").await;
    server
        .execute("alter user app@'%' with max_connections_per_hour 0")
        .await;
    let _held = fill::<MySqlConnection>(&url).await;
    mysql_is(&url, ErrorKind::Saturated, "Too many connections").await;
}

#[tokio::test]
async fn a_permanent_error_of_mysql_is_rejected() {
    let server = Mysql::start().await;
    let url = server.url();
    mysql_is(
        &url.replace("s3cret", "wr0ng"),
        ErrorKind::Rejected,
        "Access denied",
    )
    .await;
    mysql_is(&format!("{url}_of_nobody"), ErrorKind::Rejected, "").await;
    mysql_is(
        &format!("{url}?ssl-mode=required"),
        ErrorKind::Rejected,
        "TLS",
    )
    .await;
    server.execute("grant select on *.* to app@'%'").await;
    mysql_is(
        &format!("{url}_of_nobody"),
        ErrorKind::Rejected,
        "Unknown database",
    )
    .await;
    server.execute("alter user app@'%' account lock").await;
    mysql_is(&url, ErrorKind::Rejected, "locked").await;
}

/// Returns the port of a proxy that connects from 127.0.0.2. A server never blocks 127.0.0.1.
async fn from_another_address(server: SocketAddr) -> u16 {
    let (listener, port) = listener().await;
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let socket = TcpSocket::new_v4()?;
                socket.bind((Ipv4Addr::new(127, 0, 0, 2), 0).into())?;
                let mut server = socket.connect(server).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    port
}

#[tokio::test]
async fn a_mysql_server_that_blocks_this_host_is_tried_once() {
    let server = Mysql::builder()
        .setting("max-connect-errors", "1")
        .setting("skip-name-resolve", "OFF")
        .start()
        .await;
    let port = from_another_address(server.addr()).await;
    let url = server.url_at(port);
    drop(MySqlConnection::connect(&url).await.expect("a connection"));
    until("the server to block this host", async || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .expect("a connection");
        // MySQL counts the packet only if its own greeting has arrived.
        let _ = stream.read(&mut [0; 256]).await;
        let _ = stream.write_all(b"\x05\0\0\x01hello").await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
        drop(stream);
        MySqlConnection::connect(&url).await.is_err()
    })
    .await;
    // Each further attempt would be counted as well.
    let lease = exclusive::<MySqlConnection>(source(&url)).lease().await;
    let error = lease.map(drop).expect_err("the host is blocked");
    assert_eq!(error.kind(), Some(ErrorKind::Rejected), "{error}");
    let text = error.to_string();
    for part in [
        "is blocked",
        "`FLUSH HOSTS`",
        "`max_connect_errors`",
        "(1 attempt in",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn a_full_pgbouncer_is_saturated() {
    let postgres = Postgres::builder()
        .setting("max_connections", "5")
        .start()
        .await;
    let bouncer = PgBouncer::builder()
        .setting("max_client_conn", "1")
        .start(&postgres)
        .await;
    let source = pooler(&bouncer.url());
    let mut held = None;
    // The start of the bench waits for PgBouncer with a connection, which may still be open.
    until("the only place", async || {
        held = connect::<PgConnection>(&source).await.ok();
        held.is_some()
    })
    .await;
    pgbouncer_is(
        &bouncer.url(),
        ErrorKind::Saturated,
        "no more connections allowed",
    )
    .await;
    drop((held, bouncer));
    until("no session", async || postgres.sessions().await.is_empty()).await;

    let held = fill::<PgConnection>(&postgres.url()).await;
    let bouncer = PgBouncer::start(&postgres).await;
    pgbouncer_is(
        &bouncer.url(),
        ErrorKind::Saturated,
        "remaining connection slots",
    )
    .await;
    drop(held);
    until("a free slot", async || postgres.sessions().await.is_empty()).await;

    let bouncer = PgBouncer::builder()
        .setting("default_pool_size", "1")
        .setting("query_wait_timeout", "1")
        .start(&postgres)
        .await;
    let source = pooler(&bouncer.url()).on_connect("select 1");
    let mut held: PgConnection = connect(&source).await.expect("a connection");
    sqlx::raw_sql("begin")
        .execute(&mut held)
        .await
        .expect("a transaction");
    is::<PgConnection>(&source, ErrorKind::Saturated, "query_wait_timeout").await;
}

#[tokio::test]
async fn a_pgbouncer_without_its_server_is_unavailable() {
    let postgres = Postgres::start().await;
    postgres.stop().await;
    let bouncer = PgBouncer::builder()
        .setting("client_login_timeout", "1")
        .start(&postgres)
        .await;
    pgbouncer_is(&bouncer.url(), ErrorKind::Unavailable, "server down").await;
}

#[tokio::test]
async fn a_permanent_error_of_pgbouncer_is_rejected() {
    let postgres = Postgres::start().await;
    let bouncer = PgBouncer::start(&postgres).await;
    let url = bouncer.url();
    pgbouncer_is(
        &url.replace("s3cret", "wr0ng"),
        ErrorKind::Rejected,
        "authentication failed",
    )
    .await;
    pgbouncer_is(
        &format!("{url}_of_nobody"),
        ErrorKind::Rejected,
        "does not exist",
    )
    .await;
}
