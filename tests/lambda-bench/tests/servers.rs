//! What the servers promise: PostgreSQL and MariaDB of our own, that end with us.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use lambda_bench::servers::{Mariadb, Postgres};
use lambda_bench::wait::until;
use sqlx::{Connection as _, MySqlConnection, PgConnection};

#[tokio::test]
async fn postgres_serves_its_user() {
    let postgres = Postgres::shared().await;
    let mut db = PgConnection::connect(&postgres.url())
        .await
        .expect("a connection");
    let whoami: (String, String) =
        sqlx::query_as("select current_user::text, current_database()::text")
            .fetch_one(&mut db)
            .await
            .expect("a row");
    assert_eq!(whoami, ("app".into(), "app".into()));
    sqlx::query("create table mine (id int)")
        .execute(&mut db)
        .await
        .expect("the database is its own");

    let wrong = postgres.url().replace("s3cret", "guess");
    assert!(
        PgConnection::connect(&wrong).await.is_err(),
        "the password counts"
    );
}

#[tokio::test]
async fn mariadb_serves_its_user() {
    let mariadb = Mariadb::shared().await;
    let mut db = MySqlConnection::connect(&mariadb.url())
        .await
        .expect("a connection");
    let whoami: String = sqlx::query_scalar("select concat(current_user(), ' ', database())")
        .fetch_one(&mut db)
        .await
        .expect("a row");
    assert_eq!(whoami, "app@% app");
    sqlx::query("create table mine (id int)")
        .execute(&mut db)
        .await
        .expect("the database is its own");

    let wrong = mariadb.url().replace("s3cret", "guess");
    assert!(
        MySqlConnection::connect(&wrong).await.is_err(),
        "the password counts"
    );
}

#[tokio::test]
async fn postgres_shows_sessions_and_ends_them() {
    let postgres = Postgres::builder()
        .setting("max_connections", "20")
        .start()
        .await;
    assert_eq!(postgres.sessions().await, []);
    let mut db = PgConnection::connect(&postgres.url())
        .await
        .expect("a connection");
    let limit: String = sqlx::query_scalar("show max_connections")
        .fetch_one(&mut db)
        .await
        .expect("a row");
    assert_eq!(limit, "20");
    sqlx::raw_sql("begin; set application_name = 'mine'")
        .execute(&mut db)
        .await
        .expect("a transaction");
    let sessions = postgres.sessions().await;
    let session = sessions.first().expect("a session");
    assert_eq!(
        (session.state.as_str(), session.in_transaction),
        ("idle in transaction", true)
    );
    assert_eq!(
        (session.query.as_str(), session.application_name.as_str()),
        ("begin; set application_name = 'mine'", "mine")
    );

    assert_eq!(postgres.end_sessions().await, 1);
    assert_eq!(postgres.sessions().await, []);
    assert!(db.ping().await.is_err());
}

#[tokio::test]
async fn mariadb_shows_sessions_and_ends_them() {
    let mariadb = Mariadb::builder()
        .setting("max-connections", "20")
        .start()
        .await;
    assert_eq!(mariadb.sessions().await, []);
    let mut db = MySqlConnection::connect(&mariadb.url())
        .await
        .expect("a connection");
    let limit: i64 = sqlx::query_scalar("select cast(@@max_connections as signed)")
        .fetch_one(&mut db)
        .await
        .expect("a row");
    assert_eq!(limit, 20);
    sqlx::query("create table t (id int) engine = innodb")
        .execute(&mut db)
        .await
        .expect("a table");
    let mut transaction = db.begin().await.expect("a transaction");
    sqlx::query("insert into t values (1)")
        .execute(&mut *transaction)
        .await
        .expect("a row");
    let sessions = mariadb.sessions().await;
    let session = sessions.first().expect("a session");
    assert_eq!(
        (session.state.as_str(), session.in_transaction),
        ("Sleep", true)
    );

    assert_eq!(mariadb.end_sessions().await, 1);
    assert_eq!(mariadb.sessions().await, []);
    assert!(transaction.commit().await.is_err());
}

#[tokio::test]
async fn postgres_stops_and_starts_again_as_it_was() {
    let postgres = Postgres::start().await;
    let mut db = PgConnection::connect(&postgres.url())
        .await
        .expect("a connection");
    sqlx::raw_sql("create table kept as select 42 as id")
        .execute(&mut db)
        .await
        .expect("a table");

    postgres.stop().await;
    assert_eq!(postgres.pid(), None);
    assert!(refuses(postgres.addr()));
    assert!(db.ping().await.is_err());
    postgres.start_again().await;
    let mut db = PgConnection::connect(&postgres.url())
        .await
        .expect("a connection to the same port");
    let kept: i32 = sqlx::query_scalar("select id from kept")
        .fetch_one(&mut db)
        .await
        .expect("the same data");
    assert_eq!(kept, 42);

    let before = postgres.pid();
    postgres.restart().await;
    assert_ne!(postgres.pid(), before);
    assert!(db.ping().await.is_err());
}

#[tokio::test]
async fn mariadb_stops_and_starts_again_as_it_was() {
    let mariadb = Mariadb::start().await;
    let mut db = MySqlConnection::connect(&mariadb.url())
        .await
        .expect("a connection");
    sqlx::query("create table kept as select 42 as id")
        .execute(&mut db)
        .await
        .expect("a table");

    mariadb.stop().await;
    assert_eq!(mariadb.pid(), None);
    assert!(refuses(mariadb.addr()));
    assert!(db.ping().await.is_err());
    mariadb.start_again().await;
    let mut db = MySqlConnection::connect(&mariadb.url())
        .await
        .expect("a connection to the same port");
    let kept: i32 = sqlx::query_scalar("select id from kept")
        .fetch_one(&mut db)
        .await
        .expect("the same data");
    assert_eq!(kept, 42);

    let before = mariadb.pid();
    mariadb.restart().await;
    assert_ne!(mariadb.pid(), before);
    assert!(db.ping().await.is_err());
}

#[tokio::test]
async fn a_dropped_server_is_gone_with_its_folder() {
    let postgres = Postgres::start().await;
    let (addr, folder) = (postgres.addr(), postgres.folder().to_owned());
    assert!(folder.join("data").exists());
    drop(postgres);
    assert!(refuses(addr) && !folder.exists());
}

#[tokio::test]
async fn servers_end_with_their_process_however_it_ends() {
    let mut process = Command::new(env!("CARGO_BIN_EXE_with_servers"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the helper starts");
    let lines = BufReader::new(process.stdout.take().expect("its output is a pipe"))
        .lines()
        .take(2);
    let servers: Vec<(String, String)> = lines
        .map(|line| {
            line.expect("a line")
                .split_once(' ')
                .map(|(addr, folder)| (addr.into(), folder.into()))
                .expect("two words")
        })
        .collect();
    for (addr, folder) in &servers {
        assert!(
            TcpStream::connect(addr).is_ok() && std::fs::exists(folder).is_ok_and(|exists| exists)
        );
    }
    process.kill().expect("SIGKILL");
    process.wait().expect("its end");
    for (addr, folder) in &servers {
        until(format!("the end of the server on {addr}"), async || {
            refuses(addr) && std::fs::exists(folder).is_ok_and(|exists| !exists)
        })
        .await;
    }
}

fn refuses(addr: impl std::net::ToSocketAddrs) -> bool {
    TcpStream::connect(addr)
        .is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
}
