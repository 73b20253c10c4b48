//! The promises of the servers: private PostgreSQL and MariaDB servers that end with their tests.

use std::io::{BufRead as _, BufReader, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs};
use std::process::{Command, Stdio};

use lambda_bench::servers::Postgres;
use lambda_bench::wait::until;
use sqlx::{Connection as _, PgConnection};

/// The tests that PostgreSQL and MariaDB have in common.
macro_rules! tests_of {
    (
        $module:ident, $server:ident, $connection:ident, who_am_i: $who_am_i:literal = $me:literal,
        max_connections: $max_connections:literal, in_transaction: $in_transaction:literal
    ) => {
        mod $module {
            use lambda_bench::servers::$server;
            use sqlx::{Connection as _, $connection};

            async fn connect(server: &$server) -> $connection {
                $connection::connect(&server.url())
                    .await
                    .expect("a connection")
            }

            async fn run(sql: &'static str, db: &mut $connection) {
                sqlx::raw_sql(sql).execute(db).await.expect(sql);
            }

            #[tokio::test]
            async fn the_user_has_a_password_and_a_database() {
                let server = $server::shared().await;
                let mut db = connect(server).await;
                let me: String = sqlx::query_scalar($who_am_i)
                    .fetch_one(&mut db)
                    .await
                    .expect("a row");
                assert_eq!(me, $me);
                run("create table mine (id int)", &mut db).await;

                let wrong = server.url().replace("s3cret", "guess");
                assert!(
                    $connection::connect(&wrong).await.is_err(),
                    "a wrong password was accepted"
                );
            }

            #[tokio::test]
            async fn sessions_are_listed_and_ended() {
                let builder = $server::builder().setting("max_connections", "20");
                let server = builder.start().await;
                assert_eq!(server.sessions().await, []);
                let mut db = connect(&server).await;
                let limit: i64 = sqlx::query_scalar($max_connections)
                    .fetch_one(&mut db)
                    .await
                    .expect("a row");
                assert_eq!(limit, 20);
                run("create table t (id int)", &mut db).await;
                let mut transaction = db.begin().await.expect("a transaction");
                run("insert into t values (1)", &mut transaction).await;
                let sessions = server.sessions().await;
                let session = sessions.first().expect("a session");
                assert_eq!(
                    (session.state.as_str(), session.in_transaction),
                    ($in_transaction, true)
                );

                assert_eq!(server.end_sessions().await, 1);
                assert_eq!(server.sessions().await, []);
                assert!(transaction.commit().await.is_err());
            }

            #[tokio::test]
            async fn a_restart_keeps_the_port_and_the_data() {
                let server = $server::start().await;
                let mut db = connect(&server).await;
                run("create table kept as select 42 as id", &mut db).await;

                server.stop().await;
                assert_eq!(server.pid(), None);
                assert!(super::refuses(server.addr()));
                assert!(db.ping().await.is_err());
                server.start_again().await;
                let mut db = connect(&server).await;
                let kept: i32 = sqlx::query_scalar("select id from kept")
                    .fetch_one(&mut db)
                    .await
                    .expect("the same data");
                assert_eq!(kept, 42);

                let before = server.pid();
                server.restart().await;
                assert_ne!(server.pid(), before);
                assert!(db.ping().await.is_err());
            }
        }
    };
}

tests_of! {
    postgres, Postgres, PgConnection,
    who_am_i: "select current_user || ' ' || current_database()" = "app app",
    max_connections: "select current_setting('max_connections')::int8",
    in_transaction: "idle in transaction"
}

tests_of! {
    mysql, Mysql, MySqlConnection,
    who_am_i: "select concat(current_user(), ' ', database())" = "app@% app",
    max_connections: "select cast(@@max_connections as signed)",
    in_transaction: "Sleep"
}

#[tokio::test]
async fn postgres_sessions_show_their_last_statement_and_name() {
    let postgres = Postgres::shared().await;
    let mut db = PgConnection::connect(&postgres.url())
        .await
        .expect("a connection");
    let sql = "begin; set application_name = 'mine'";
    sqlx::raw_sql(sql)
        .execute(&mut db)
        .await
        .expect("a transaction");
    let sessions = postgres.sessions().await;
    let session = sessions
        .iter()
        .find(|session| session.application_name == "mine");
    assert_eq!(session.expect("a session").query, sql);
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
async fn servers_end_with_their_process_when_it_is_killed() {
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

fn refuses(addr: impl ToSocketAddrs) -> bool {
    TcpStream::connect(addr).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}
