//! Each row of the table of [`reuse_db::ErrorKind`], as the server says it.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use lambda_bench::proxy::Proxy;
use lambda_bench::servers::{Mariadb, PgBouncer, Postgres};
use lambda_bench::wait::{until, within};
use reuse_db::{Error, ErrorKind, Source};
use sqlx::{Connection as _, MySqlConnection, PgConnection};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// A connection as a lease opens it, in one try.
async fn ours<C: reuse_db::Connect>(source: &Source) -> Result<C, Error> {
    C::connect(source).await
}

/// What a connection is refused with: what it means, and in which words.
async fn refused<C: reuse_db::Connect>(url: &str) -> (Option<ErrorKind>, String) {
    let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE").or(url.to_owned().leak());
    let result = within("an answer", ours::<C>(&source)).await;
    let Err(error) = result else {
        panic!("{url} is not refused");
    };
    let text = error.to_string();
    assert!(
        !text.contains("s3cret") && !text.contains("wr0ng"),
        "{text}"
    );
    (error.kind(), text)
}

async fn says<C: reuse_db::Connect>(url: &str, kind: ErrorKind, words: &str) {
    let (got, text) = refused::<C>(url).await;
    assert_eq!(got, Some(kind), "{text}");
    assert!(text.contains(words), "{text}");
}

async fn postgres_says(url: &str, kind: ErrorKind, words: &str) {
    says::<PgConnection>(url, kind, words).await;
}

async fn mariadb_says(url: &str, kind: ErrorKind, words: &str) {
    says::<MySqlConnection>(url, kind, words).await;
}

fn through_a_pooler(url: &str) -> Source {
    Source::env("REUSE_DB_NO_SUCH_VARIABLE")
        .or(url.to_owned().leak())
        .transaction_pooler()
}

async fn pgbouncer_says(url: &str, kind: ErrorKind, words: &str) {
    let result = within("an answer", ours::<PgConnection>(&through_a_pooler(url))).await;
    let error = result.expect_err("it is refused");
    assert_eq!(error.kind(), Some(kind), "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

#[tokio::test]
async fn nobody_listens_or_resets_or_hangs_up() {
    let server = Postgres::start().await;
    let proxy = Proxy::start(server.addr()).await;
    proxy.refuse().await;
    let url = server.url_at(proxy.port());
    postgres_says(&url, ErrorKind::Unavailable, "Connection refused").await;
    mariadb_says(
        &url.replace("postgres:", "mysql:"),
        ErrorKind::Unavailable,
        "Connection refused",
    )
    .await;
    // Its server is not there: the proxy resets whoever comes.
    proxy.accept().await;
    server.stop().await;
    let (kind, text) = refused::<PgConnection>(&url).await;
    assert_eq!(kind, Some(ErrorKind::Unavailable), "{text}");

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let (kind, text) = refused::<PgConnection>(&server.url_at(port)).await;
    assert_eq!(kind, Some(ErrorKind::Unavailable), "{text}");
}

#[tokio::test]
async fn a_name_without_an_address() {
    let (kind, text) =
        refused::<PgConnection>("postgres://app:s3cret@no-such-host.invalid/app").await;
    assert_eq!(kind, Some(ErrorKind::Unavailable), "{text}");
    let (kind, text) =
        refused::<MySqlConnection>("mysql://app:s3cret@no-such-host.invalid/app").await;
    assert_eq!(kind, Some(ErrorKind::Unavailable), "{text}");
}

#[tokio::test]
async fn a_postgres_that_is_full() {
    let server = Postgres::builder()
        .setting("max_connections", "5")
        .start()
        .await;
    server.execute("alter role app connection limit 0").await;
    postgres_says(
        &server.url(),
        ErrorKind::Saturated,
        "too many connections for role",
    )
    .await;
    server.execute("alter role app connection limit -1").await;
    server
        .execute("alter database app connection limit 0")
        .await;
    postgres_says(
        &server.url(),
        ErrorKind::Saturated,
        "too many connections for database",
    )
    .await;
    server
        .execute("alter database app connection limit -1")
        .await;
    let mut held = Vec::new();
    while let Ok(connection) = PgConnection::connect(&server.url()).await {
        held.push(connection);
    }
    postgres_says(
        &server.url(),
        ErrorKind::Saturated,
        "remaining connection slots",
    )
    .await;
}

#[tokio::test]
async fn a_postgres_that_starts_or_stops() {
    let server = Postgres::builder()
        .setting("hot_standby", "off")
        .start()
        .await;
    let url = server.url();
    let held = PgConnection::connect(&url).await.expect("a connection");
    // It waits for those who are there.
    let pid = server.pid().expect("it runs").to_string();
    let status = std::process::Command::new("kill")
        .args(["-TERM", &pid])
        .status();
    assert!(status.is_ok_and(|status| status.success()));
    until("the shutdown", async || {
        PgConnection::connect(&url).await.is_err()
    })
    .await;
    postgres_says(&url, ErrorKind::Unavailable, "shutting down").await;
    drop(held);

    let server = Postgres::builder()
        .setting("hot_standby", "off")
        .start()
        .await;
    server.stop().await;
    // As after a crash, and for as long as it is one: it reads the log of its writer, and serves nobody.
    std::fs::write(server.folder().join("data/standby.signal"), "").expect("the folder is ours");
    let start = tokio::time::timeout(Duration::from_secs(2), server.start_again());
    assert!(start.await.is_err(), "it serves nobody");
    postgres_says(
        &server.url(),
        ErrorKind::Unavailable,
        "the database system is",
    )
    .await;
}

#[tokio::test]
async fn a_postgres_that_will_not_have_us() {
    let server = Postgres::start().await;
    let url = server.url();
    postgres_says(
        &url.replace("s3cret", "wr0ng"),
        ErrorKind::Rejected,
        "password authentication failed",
    )
    .await;
    postgres_says(
        &format!("{url}_of_nobody"),
        ErrorKind::Rejected,
        "does not exist",
    )
    .await;
    postgres_says(
        &format!("{url}?sslmode=require"),
        ErrorKind::Rejected,
        "TLS",
    )
    .await;
    server.execute("alter role app nologin").await;
    postgres_says(&url, ErrorKind::Rejected, "not permitted to log in").await;
    server.execute("alter role app login").await;
    server
        .execute("alter database app allow_connections off")
        .await;
    postgres_says(
        &url,
        ErrorKind::Rejected,
        "not currently accepting connections",
    )
    .await;
}

#[tokio::test]
async fn a_mariadb_that_is_full() {
    let server = Mariadb::builder()
        .setting("max-connections", "10")
        .setting("max-user-connections", "100")
        .start()
        .await;
    let url = server.url();
    server.execute("set global max_user_connections = 1").await;
    let held = MySqlConnection::connect(&url).await.expect("a connection");
    mariadb_says(&url, ErrorKind::Saturated, "max_user_connections").await;
    held.close().await.expect("an end");
    server
        .execute("set global max_user_connections = 100")
        .await;
    server
        .execute("alter user app@'%' with max_connections_per_hour 1")
        .await;
    server.execute("flush user_resources").await;
    let _first = MySqlConnection::connect(&url).await;
    mariadb_says(&url, ErrorKind::Saturated, "max_connections_per_hour").await;
    server
        .execute("alter user app@'%' with max_connections_per_hour 0")
        .await;
    let mut held = Vec::new();
    while let Ok(connection) = MySqlConnection::connect(&url).await {
        held.push(connection);
    }
    mariadb_says(&url, ErrorKind::Saturated, "Too many connections").await;
}

#[tokio::test]
async fn a_mariadb_that_will_not_have_us() {
    let server = Mariadb::start().await;
    let url = server.url();
    mariadb_says(
        &url.replace("s3cret", "wr0ng"),
        ErrorKind::Rejected,
        "Access denied",
    )
    .await;
    mariadb_says(&format!("{url}_of_nobody"), ErrorKind::Rejected, "").await;
    mariadb_says(
        &format!("{url}?ssl-mode=required"),
        ErrorKind::Rejected,
        "TLS",
    )
    .await;
    server.execute("grant select on *.* to app@'%'").await;
    mariadb_says(
        &format!("{url}_of_nobody"),
        ErrorKind::Rejected,
        "Unknown database",
    )
    .await;
    server.execute("alter user app@'%' account lock").await;
    mariadb_says(&url, ErrorKind::Rejected, "locked").await;
}

/// A way to `server` from another address of this machine: of 127.0.0.1 itself a server thinks better.
async fn from_another_address(server: SocketAddr) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    let port = listener.local_addr().expect("an address").port();
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
async fn a_mariadb_that_blocks_our_host() {
    let server = Mariadb::builder()
        .setting("max-connect-errors", "1")
        .setting("skip-name-resolve", "0")
        .start()
        .await;
    let port = from_another_address(server.addr()).await;
    let url = server.url_at(port);
    drop(MySqlConnection::connect(&url).await.expect("a connection"));
    until("the server to have had enough", async || {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .expect("it listens");
        stream
            .write_all(b"\x05\0\0\x01hello")
            .await
            .expect("it reads");
        drop(stream);
        MySqlConnection::connect(&url).await.is_err()
    })
    .await;
    mariadb_says(&url, ErrorKind::Unavailable, "is blocked").await;
}

#[tokio::test]
async fn a_pgbouncer_that_is_full() {
    let postgres = Postgres::builder()
        .setting("max_connections", "5")
        .start()
        .await;
    let bouncer = PgBouncer::builder()
        .setting("max_client_conn", "1")
        .start(&postgres)
        .await;
    let source = through_a_pooler(&bouncer.url());
    let mut held = None;
    // Whoever asked whether it serves may still have the one place.
    until("the one place", async || {
        held = ours::<PgConnection>(&source).await.ok();
        held.is_some()
    })
    .await;
    pgbouncer_says(
        &bouncer.url(),
        ErrorKind::Saturated,
        "no more connections allowed",
    )
    .await;
    drop((held, bouncer));
    until("no session", async || postgres.sessions().await.is_empty()).await;

    let mut held = Vec::new();
    while let Ok(connection) = PgConnection::connect(&postgres.url()).await {
        held.push(connection);
    }
    let bouncer = PgBouncer::start(&postgres).await;
    pgbouncer_says(
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
    let source = through_a_pooler(&bouncer.url()).on_connect("select 1");
    let mut held = ours::<PgConnection>(&source).await.expect("a connection");
    sqlx::raw_sql("begin")
        .execute(&mut held)
        .await
        .expect("a transaction");
    let error = ours::<PgConnection>(&source)
        .await
        .expect_err("nothing left");
    assert_eq!(error.kind(), Some(ErrorKind::Saturated), "{error}");
    assert!(error.to_string().contains("query_wait_timeout"), "{error}");
}

#[tokio::test]
async fn a_pgbouncer_whose_server_is_down() {
    let postgres = Postgres::start().await;
    postgres.stop().await;
    let bouncer = PgBouncer::builder()
        .setting("client_login_timeout", "1")
        .start(&postgres)
        .await;
    pgbouncer_says(&bouncer.url(), ErrorKind::Unavailable, "server down").await;
}

#[tokio::test]
async fn a_pgbouncer_that_will_not_have_us() {
    let postgres = Postgres::start().await;
    let bouncer = PgBouncer::start(&postgres).await;
    let url = bouncer.url();
    pgbouncer_says(
        &url.replace("s3cret", "wr0ng"),
        ErrorKind::Rejected,
        "authentication failed",
    )
    .await;
    pgbouncer_says(
        &format!("{url}_of_nobody"),
        ErrorKind::Rejected,
        "does not exist",
    )
    .await;
}
