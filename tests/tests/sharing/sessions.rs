//! The sessions of a sandbox at the server: their name, their idle limit, their lifetime and their
//! number.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use lambda_bench::servers::{Mysql, Postgres};
use lambda_bench::wait::{until, within};
use reuse_db::{Connect, FromConnection, Lease, Outcome, SharedLease, Source};
use reuse_db_tests::function::Function;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::on_each_server_and_runtime;
use reuse_db_tests::statics::{exclusive, shared, source};
use sqlx::{MySqlConnection, MySqlPool, PgConnection, PgPool, Transaction};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Returns the `application_name` of the only session after an invocation.
async fn name(server: &Postgres, env: &[(&str, &str)], path: &str) -> String {
    let function = Function::start_with(server, env).await;
    function.invoke(path).await.ok();
    let sessions = server.sessions().await;
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    drop(function);
    until("the end of the session", async || {
        server.sessions().await.is_empty()
    })
    .await;
    sessions[0].application_name.clone()
}

#[tokio::test]
async fn a_session_is_named_after_its_function_and_sandbox() {
    let server = <Postgres as Server>::launch().await;
    for path in ["/add?n=1", "/own-pool?n=1"] {
        // The emulator's log stream is `2026/01/01/[$LATEST]bench`.
        assert_eq!(name(&server, &[], path).await, "bench/bench", "{path}");
    }
}

#[tokio::test]
async fn each_sandbox_has_a_name_of_its_own() {
    let server = <Postgres as Server>::launch().await;
    let mut sandboxes = Vec::new();
    for stream in ["0011223344556677", "8899aabbccddeeff"] {
        let stream = format!("2026/01/31/[$LATEST]{stream}");
        let env = [("AWS_LAMBDA_LOG_STREAM_NAME", stream.as_str())];
        let function = Function::start_with(&server, &env).await;
        function.invoke("/add?n=1").await.ok();
        sandboxes.push(function);
    }
    let sessions = server.sessions().await;
    let names: Vec<_> = sessions
        .iter()
        .map(|session| session.application_name.as_str())
        .collect();
    assert_eq!(names, ["bench/44556677", "bench/ccddeeff"]);
}

#[tokio::test]
async fn a_name_from_the_url_or_the_environment_is_kept() {
    let server = <Postgres as Server>::launch().await;
    let url = format!("{}?application_name=mine", server.url());
    let from_url = name(&server, &[("DATABASE_URL", &url)], "/add?n=1").await;
    assert_eq!(from_url, "mine");
    let from_environment = name(&server, &[("PGAPPNAME", "ours")], "/add?n=1").await;
    assert_eq!(from_environment, "ours");
}

/// Starts a proxy to a MariaDB without `wait_timeout`: it replaces the variable in each statement
/// by an unknown one, which the server rejects (1193). Returns the proxy's port, and the number of
/// such statements.
async fn without_wait_timeout(upstream: SocketAddr) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let statements = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&statements);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                let server = TcpStream::connect(upstream).await?;
                let (mut replies, mut requests) = server.into_split();
                let (mut from, mut to) = client.into_split();
                let down =
                    tokio::spawn(async move { tokio::io::copy(&mut replies, &mut to).await });
                let mut buffer = vec![0; 64 * 1024];
                loop {
                    let length = from.read(&mut buffer).await?;
                    if length == 0 {
                        break;
                    }
                    let bytes = &mut buffer[..length];
                    let name = b"wait_timeout";
                    if let Some(at) = bytes.windows(name.len()).position(|word| word == name) {
                        bytes[at] = b'x';
                        counted.fetch_add(1, Relaxed);
                    }
                    requests.write_all(bytes).await?;
                }
                drop(requests);
                down.await?
            });
        }
    });
    (port, statements)
}

async fn opens<C: Connect>(source: &Source) -> C {
    match within("an answer", C::connect(source)).await {
        Ok(connection) => connection,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_mysql_server_that_rejects_wait_timeout_is_used_without() {
    async fn check<C: Connect>(server: &Mysql) {
        let (port, statements) = without_wait_timeout(server.addr()).await;
        let source = source(server.url_at(port));
        // Once with the question for changes, once without it, and once alone to find the culprit.
        let mut first = opens::<C>(&source.on_connect("do 1")).await;
        assert_eq!(statements.load(Relaxed), 3);
        let mut second = opens::<C>(&source).await;
        assert_eq!(statements.load(Relaxed), 3, "the rejection is remembered");
        for connection in [&mut first, &mut second] {
            connection.check(&source).await.expect("a sound connection");
        }
        assert_eq!(
            statements.load(Relaxed),
            3,
            "a health check sets no variable"
        );
    }
    let server = Mysql::start().await;
    check::<MySqlConnection>(&server).await;
    check::<MySqlPool>(&server).await;
}

#[tokio::test]
async fn a_wrong_on_connect_is_an_error_and_keeps_the_idle_limit_on_mysql() {
    let server = Mysql::start().await;
    let source = source(server.url()).idle_session_timeout(Duration::from_secs(77));
    let wrong = source.on_connect("set no_such_variable = 1");
    let result = within("an answer", MySqlConnection::connect(&wrong)).await;
    let error = result.expect_err("no such variable").to_string();
    assert!(error.contains("no_such_variable"), "{error}");
    let mut connection = opens::<MySqlConnection>(&source).await;
    let limit: i64 = sqlx::query_scalar("select cast(@@session.wait_timeout as signed)")
        .fetch_one(&mut connection)
        .await
        .expect("the variable");
    assert_eq!(limit, 77);
}

#[tokio::test]
async fn postgres_ends_a_session_after_the_idle_limit_of_the_source() {
    let server = Postgres::start().await;
    let source = source(server.url()).idle_session_timeout(Duration::from_secs(77));
    macro_rules! limit_of {
        ($handle:expr) => {
            sqlx::query_scalar::<_, String>("show idle_session_timeout")
                .fetch_one($handle)
                .await
                .expect("the parameter")
        };
    }
    let mut connection = opens::<PgConnection>(&source).await;
    assert_eq!(limit_of!(&mut connection), "77s");
    assert_eq!(limit_of!(&opens::<PgPool>(&source).await), "77s");
    let unlimited = source.idle_session_timeout(Duration::ZERO);
    let mut connection = opens::<PgConnection>(&unlimited).await;
    assert_eq!(limit_of!(&mut connection), "0");
}

/// The lifetime of connections.
const AGE: Duration = Duration::from_secs(1);

/// Returns the server's number for the session of `db`.
async fn pid(db: impl sqlx::Executor<'_, Database = sqlx::Postgres>) -> i64 {
    sqlx::query_scalar("select pg_backend_pid()::int8")
        .fetch_one(db)
        .await
        .expect("a number")
}

#[tokio::test]
async fn a_connection_past_its_lifetime_is_replaced() {
    let server = Postgres::start().await;
    let source = source(server.url())
        .verify_after(Duration::MAX)
        .max_lifetime(AGE);
    let db = exclusive::<PgConnection>(source);
    let session = async |in_use: Duration| {
        let mut lease = db.lease().await.expect("a connection");
        let pid = pid(Lease::open(&mut lease).await.expect("an open lease")).await;
        tokio::time::sleep(in_use).await;
        Lease::settle(lease, Outcome::Success);
        pid
    };
    let first = session(Duration::ZERO).await;
    assert_eq!(session(Duration::ZERO).await, first);
    // The first connection reaches its age while idle, and the second while in use.
    tokio::time::sleep(AGE).await;
    let second = session(AGE).await;
    assert_ne!(second, first);
    until(
        "the end of the second session, after the response",
        async || server.sessions().await.is_empty(),
    )
    .await;
    assert_ne!(session(Duration::ZERO).await, second);
    let stats = db.stats();
    assert_eq!((stats.opened, stats.unavailable), (3, 0), "{stats:?}");
}

#[tokio::test]
async fn a_pools_connection_past_its_lifetime_is_replaced() {
    let server = Postgres::start().await;
    let source = source(server.url())
        .max_connections(1)
        .verify_after(Duration::MAX)
        .max_lifetime(AGE);
    let db = shared::<PgPool>(source);
    let session = async || {
        let lease = db.lease().await.expect("a pool");
        let pid = pid(SharedLease::get(&lease)).await;
        SharedLease::settle(lease, Outcome::Success);
        pid
    };
    let first = session().await;
    assert_eq!(session().await, first);
    tokio::time::sleep(AGE).await;
    let second = session().await;
    assert_ne!(second, first);
    until("the end of the first session", async || {
        let left = server.sessions().await;
        left.len() == 1 && left[0].pid == second
    })
    .await;
    assert_eq!(db.stats().unavailable, 0);
}

on_each_server_and_runtime! {
    async fn the_server_ends_idle_sessions_after_300_s_by_default(server: &impl Server) {
        let function = Function::start(server).await;
        let limit = function.invoke("/idle-limit").await;
        assert!(["5min", "300"].contains(&limit.text()), "{limit:?}");
        assert_eq!(function.proxy.connections(), 1);
    }
}

#[tokio::test]
async fn with_keep_0_no_session_outlives_its_invocation() {
    async fn check<H: FromConnection + 'static>(url: String, is_idle: impl AsyncFn() -> bool) {
        let db = exclusive::<H>(source(url).keep(0));
        for _ in 0..2 {
            let lease = db.lease().await.expect("a connection");
            assert!(!is_idle().await);
            Lease::settle(lease, Outcome::Success);
            until("the session's end", &is_idle).await;
        }
        assert_eq!(db.stats().opened, 2);
    }
    let postgres = Postgres::start().await;
    let is_idle = async || postgres.sessions().await.is_empty();
    check::<PgConnection>(postgres.url(), is_idle).await;
    check::<Transaction<'_, sqlx::Postgres>>(postgres.url(), is_idle).await;
    let mysql = Mysql::start().await;
    let is_idle = async || mysql.sessions().await.is_empty();
    check::<MySqlConnection>(mysql.url(), is_idle).await;
}
