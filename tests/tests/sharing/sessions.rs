//! What the server is told of a session: whose it is, and when to end it.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod function;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use function::Function;
use function::server::Server;
use lambda_bench::servers::{Mariadb, Postgres};
use lambda_bench::wait::{until, within};
use reuse_db::{Connect, Exclusive, FromConnection, Lease, Outcome, Shared, SharedLease, Source};
use sqlx::{AnyConnection, MySqlConnection, MySqlPool, PgConnection, PgPool, Transaction};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

async fn name(server: &Postgres, env: &[(&str, &str)], path: &str) -> String {
    let function = Function::start_with(server, env).await;
    function.invoke(path).await.ok();
    let sessions = server.sessions().await;
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    sessions[0].application_name.clone()
}

#[tokio::test]
async fn a_session_is_named_after_its_function_and_sandbox() {
    let server = <Postgres as Server>::launch().await;
    for path in ["/add?n=1", "/own-pool?n=1", "/write-to-any"] {
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
async fn unless_it_has_a_name_of_the_users_own() {
    let server = <Postgres as Server>::launch().await;
    let url = format!("{}?application_name=mine", server.url());
    assert_eq!(
        name(&server, &[("DATABASE_URL", &url)], "/add?n=1").await,
        "mine"
    );
    assert_eq!(
        name(&server, &[("DATABASE_URL", &url)], "/write-to-any").await,
        "mine"
    );
    assert_eq!(
        name(&server, &[("PGAPPNAME", "ours")], "/add?n=1").await,
        "ours"
    );
}

/// A proxy that knows no `wait_timeout`: MariaDB is asked for another variable in its place, of which it
/// says that there is none (1193). Yields its port, and how often it was asked.
async fn without_wait_timeout(upstream: SocketAddr) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
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
    (port, asked)
}

async fn opens<C: Connect>(source: &Source) -> C {
    match within("an answer", C::connect(source)).await {
        Ok(connection) => connection,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_server_that_refuses_wait_timeout_is_connected_to_without() {
    async fn check<C: Connect>(server: &Mariadb) {
        let (port, asked) = without_wait_timeout(server.addr()).await;
        let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE").or(server.url_at(port).leak());
        // In the statement with which it is set up, and alone, to see who was the culprit.
        let mut first = opens::<C>(&source.on_connect("do 1")).await;
        assert_eq!(asked.load(Relaxed), 2);
        let mut second = opens::<C>(&source).await;
        assert_eq!(asked.load(Relaxed), 2, "it is remembered");
        for connection in [&mut first, &mut second] {
            connection.check(&source).await.expect("a sound connection");
        }
        assert_eq!(asked.load(Relaxed), 2, "a health check does not ask");
    }
    let server = Mariadb::start().await;
    check::<MySqlConnection>(&server).await;
    check::<MySqlPool>(&server).await;
}

#[tokio::test]
async fn a_wrong_on_connect_is_not_taken_for_it() {
    let server = Mariadb::start().await;
    let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE")
        .or(server.url().leak())
        .idle_session_timeout(Duration::from_secs(77));
    let wrong = source.on_connect("set no_such_variable = 1");
    let result = within("an answer", MySqlConnection::connect(&wrong)).await;
    let error = result.expect_err("it is wrong").to_string();
    assert!(error.contains("no_such_variable"), "{error}");
    let mut connection = opens::<MySqlConnection>(&source).await;
    let limit: i64 = sqlx::query_scalar("select cast(@@session.wait_timeout as signed)")
        .fetch_one(&mut connection)
        .await
        .expect("the variable");
    assert_eq!(limit, 77);
}

#[tokio::test]
async fn postgres_is_told_when_to_end_an_idle_session() {
    let server = Postgres::start().await;
    let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE")
        .or(server.url().leak())
        .idle_session_timeout(Duration::from_secs(77));
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
    let mut left_alone = opens::<PgConnection>(&source.idle_session_timeout(Duration::ZERO)).await;
    assert_eq!(limit_of!(&mut left_alone), "0");
}

/// What the connections of a source may become, and have become when it has passed.
const AGE: Duration = Duration::from_secs(1);

/// The server's number for the session that `db` has now.
async fn pid(db: impl sqlx::Executor<'_, Database = sqlx::Postgres>) -> i64 {
    sqlx::query_scalar("select pg_backend_pid()::int8")
        .fetch_one(db)
        .await
        .expect("a number")
}

#[tokio::test]
async fn a_connection_past_its_lifetime_is_replaced() {
    let server = Postgres::start().await;
    let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE")
        .or(server.url().leak())
        .verify_after(Duration::MAX);
    let db: &Exclusive<PgConnection> =
        Box::leak(Box::new(Exclusive::new(source.max_lifetime(AGE))));
    let ask = async |thinks: Duration| {
        let mut lease = db.lease().await.expect("a connection");
        let pid = pid(Lease::open(&mut lease).await.expect("it is open")).await;
        tokio::time::sleep(thinks).await;
        Lease::settle(lease, Outcome::Success);
        pid
    };
    let first = ask(Duration::ZERO).await;
    assert_eq!(ask(Duration::ZERO).await, first);
    tokio::time::sleep(AGE).await;
    // It was idle past that, and the next one is in use past that.
    let second = ask(AGE).await;
    assert_ne!(second, first);
    until("its end, after the response", async || {
        server.sessions().await.is_empty()
    })
    .await;
    assert_ne!(ask(Duration::ZERO).await, second);
    let stats = db.stats();
    assert_eq!((stats.opened, stats.unavailable), (3, 0), "{stats:?}");
}

#[tokio::test]
async fn so_is_one_of_a_pool() {
    let server = Postgres::start().await;
    let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE")
        .or(server.url().leak())
        .max_connections(1)
        .verify_after(Duration::MAX);
    let db: &Shared<PgPool> = Box::leak(Box::new(Shared::new(source.max_lifetime(AGE))));
    let ask = async || {
        let lease = db.lease().await.expect("a pool");
        let pid = pid(SharedLease::get(&lease)).await;
        SharedLease::settle(lease, Outcome::Success);
        pid
    };
    let first = ask().await;
    assert_eq!(ask().await, first);
    tokio::time::sleep(AGE).await;
    let second = ask().await;
    assert_ne!(second, first);
    until("the end of the first", async || {
        let left = server.sessions().await;
        left.len() == 1 && left[0].pid == second
    })
    .await;
    assert_eq!(db.stats().unavailable, 0);
}

#[tokio::test]
async fn with_keep_0_no_session_outlives_its_invocation() {
    async fn check<H: FromConnection + 'static>(url: String, is_idle: impl AsyncFn() -> bool) {
        let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE").or(url.leak());
        let db: &Exclusive<H> = Box::leak(Box::new(Exclusive::new(source.keep(0))));
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
    let mariadb = Mariadb::start().await;
    let is_idle = async || mariadb.sessions().await.is_empty();
    check::<MySqlConnection>(mariadb.url(), is_idle).await;
}

/// A session outlives its role, and then has nobody's rights, whoever takes the name.
#[tokio::test]
async fn a_session_whose_role_is_another_by_now_is_given_up() {
    async fn serves_after<T>(
        server: &Postgres,
        write: impl AsyncFn() -> Result<T, sqlx::Error>,
        what: &str,
    ) {
        write().await.expect("the right to");
        server.execute("drop role app").await;
        server
            .execute("create role app login password 's3cret' in role writers")
            .await;
        let written = write().await;
        assert!(written.is_ok(), "{what}: {:?}", written.err());
    }
    let server = Postgres::start().await;
    for sql in [
        "alter database app owner to postgres",
        "create role writers",
        "grant writers to app",
        "create table notes (text text)",
        "grant select, insert on notes to writers",
    ] {
        server.execute(sql).await;
    }
    // In the administrator's database, where the right is granted.
    let url = server.url();
    let own = format!("{}postgres", url.strip_suffix("app").expect("its database")).leak();
    let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE")
        .or(own)
        .verify_after(Duration::ZERO);
    let note = "insert into notes values ('a note')";

    macro_rules! serves_after {
        ($connection:ty) => {
            let db: &Exclusive<$connection> = Box::leak(Box::new(Exclusive::new(source)));
            let write = async || {
                let mut lease = db.lease().await?;
                let open = Lease::open(&mut lease).await?;
                let written = sqlx::raw_sql(note).fetch_all(open).await;
                Lease::settle(lease, Outcome::Success);
                written
            };
            serves_after(&server, write, stringify!($connection)).await;
        };
    }
    serves_after!(PgConnection);
    serves_after!(AnyConnection);
    let db: &Shared<PgPool> = Box::leak(Box::new(Shared::new(source)));
    let pool = async || {
        let lease = db.lease().await?;
        let written = sqlx::raw_sql(note)
            .fetch_all(SharedLease::get(&lease))
            .await;
        SharedLease::settle(lease, Outcome::Success);
        written
    };
    serves_after(&server, pool, "a pool").await;
}
