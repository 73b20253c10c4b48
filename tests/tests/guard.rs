//! A sandbox makes room while the server is nearly full: its own connection first, then the oldest idle
//! ones of its own function, and no more than needed.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod function;

use std::time::Duration;

use function::server::Server;
use function::{Function, Reply};
use reuse_db_tests::servers::{Mariadb, Postgres};
use reuse_db_tests::wait::until;
use sqlx::{Connection as _, Executor as _, MySqlConnection, PgConnection};

/// What a session must have been idle for, and a little.
const IDLE: Duration = Duration::from_millis(11_100);

async fn session(function: &Function, path: &str) -> i64 {
    Reply::of(&function.invoke(path).await).session
}

async fn sessions(server: &impl Server) -> Vec<i64> {
    server
        .sessions()
        .await
        .iter()
        .map(|session| session.pid)
        .collect()
}

/// Ten connections at most, of which it wants to see five.
async fn ten_in_postgres() -> Postgres {
    Postgres::builder()
        .setting("max_connections", "13")
        .start()
        .await
}

async fn ten_in_mariadb() -> Mariadb {
    Mariadb::builder()
        .setting("max-connections", "10")
        .start()
        .await
}

async fn makes_room<C>(server: &impl Server, others: Vec<C>) {
    let function = Function::start(server).await;
    let busy = others.len();
    for _ in 0..3 {
        session(&function, "/guarded").await;
        until("nothing of its own", async || {
            server.sessions().await.len() <= busy + 1
        })
        .await;
    }
    until("it to let go", async || {
        server.sessions().await.len() == busy
    })
    .await;
    let reply = Reply::of(&function.invoke("/guarded").await);
    assert!(
        reply.stat("opened") > 1 && reply.stat("refused") == 0,
        "{reply:?}"
    );

    drop(others);
    until("room", async || server.sessions().await.is_empty()).await;
    let kept = session(&function, "/guarded").await;
    for _ in 0..3 {
        assert_eq!(session(&function, "/guarded").await, kept, "there is room");
    }
    // One statement, and one question that nobody waits for.
    let before = function.proxy.round_trips();
    session(&function, "/guarded").await;
    assert_eq!(function.proxy.round_trips() - before, 2);
}

#[tokio::test]
async fn row_04_it_lets_go_of_its_own_on_postgres() {
    let server = ten_in_postgres().await;
    let mut others = Vec::new();
    for _ in 0..5 {
        others.push(
            PgConnection::connect(&server.url())
                .await
                .expect("a connection"),
        );
    }
    makes_room(&server, others).await;
}

#[tokio::test]
async fn row_04_it_lets_go_of_its_own_on_mariadb() {
    let server = ten_in_mariadb().await;
    let mut others = Vec::new();
    for _ in 0..5 {
        others.push(
            MySqlConnection::connect(&server.url())
                .await
                .expect("a connection"),
        );
    }
    makes_room(&server, others).await;
}

/// A limit of the user's own, which is nearer than the server's.
#[tokio::test]
async fn row_04_a_users_own_limit_counts_on_mariadb() {
    let server = Mariadb::start().await;
    server
        .execute("alter user app@'%' with max_user_connections 10")
        .await;
    let mut others = Vec::new();
    for _ in 0..5 {
        others.push(
            MySqlConnection::connect(&server.url())
                .await
                .expect("a connection"),
        );
    }
    makes_room(&server, others).await;
}

/// Three of the function's sandboxes have long been idle, the first for longest; `others` are more that
/// are none of its business. One that is new looks. The answer are those three, and their
/// sessions.
async fn after_a_look(server: &impl Server, others: &[i64]) -> (Vec<Function>, Vec<i64>) {
    after_a_look_of(server, others, &[]).await
}

/// The same, of functions with `env`.
async fn after_a_look_of(
    server: &impl Server,
    others: &[i64],
    env: &[(&str, &str)],
) -> (Vec<Function>, Vec<i64>) {
    let mut idle = Vec::new();
    let mut ours = Vec::new();
    for _ in 0..3 {
        let function = Function::start_with(server, env).await;
        ours.push(session(&function, "/reaping").await);
        idle.push(function);
        // By the second, in which MariaDB counts.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
    }
    tokio::time::sleep(IDLE).await;
    let new = Function::start_with(server, env).await;
    session(&new, "/reaping").await;
    let own = session(&new, "/reaping").await;
    until("its own end", async || {
        !sessions(server).await.contains(&own)
    })
    .await;
    let left = sessions(server).await;
    assert!(
        others.iter().all(|other| left.contains(other)),
        "{others:?} {left:?}"
    );
    (idle, ours)
}

async fn number(connection: &mut PgConnection) -> i64 {
    let sql = "select pg_backend_pid()::int8";
    sqlx::query_scalar(sql)
        .fetch_one(connection)
        .await
        .expect("a number")
}

async fn number_of(connection: &mut MySqlConnection) -> i64 {
    let sql = "select cast(connection_id() as signed)";
    sqlx::query_scalar(sql)
        .fetch_one(connection)
        .await
        .expect("a number")
}

/// Another function's, one that is nobody's, and one of ours in a transaction.
async fn others_in_postgres(server: &Postgres) -> (Vec<PgConnection>, Vec<i64>) {
    server
        .execute("alter system set max_connections = 13")
        .await;
    server.restart().await;
    let mut held = Vec::new();
    let mut others = Vec::new();
    for name in ["other/1", "mine", "bench/busy"] {
        let url = format!("{}?application_name={name}", server.url());
        let mut connection = PgConnection::connect(&url).await.expect("a connection");
        others.push(number(&mut connection).await);
        held.push(connection);
    }
    held[2].execute("begin").await.expect("a transaction");
    held[2]
        .execute("insert into notes values ('busy')")
        .await
        .expect("a note");
    (held, others)
}

#[tokio::test]
async fn row_04_it_ends_the_oldest_idle_ones_of_its_function_on_postgres() {
    let server = <Postgres as Server>::launch().await;
    let (_held, others) = others_in_postgres(&server).await;
    ends(&server, &others).await;
}

/// One that ends them holds a lock meanwhile.
#[tokio::test]
async fn row_04_while_another_does_it_ends_none_on_postgres() {
    let server = <Postgres as Server>::launch().await;
    let (mut held, others) = others_in_postgres(&server).await;
    let lock = "select pg_advisory_lock(hashtext('reuse-db'), hashtext('appbench'))";
    held[0].execute(lock).await.expect("a lock");
    let (_idle, ours) = after_a_look(&server, &others).await;
    let left = sessions(&server).await;
    assert!(
        ours.iter().all(|session| left.contains(session)),
        "{ours:?} {left:?}"
    );
}

/// Whatever role they have taken on.
#[tokio::test]
async fn row_04_a_role_makes_no_session_anothers_on_postgres() {
    let server = <Postgres as Server>::launch().await;
    let (_held, others) = others_in_postgres(&server).await;
    server.execute("create role helper").await;
    server.execute("grant helper to app").await;
    server.execute("alter role app set role = helper").await;
    ends(&server, &others).await;
}

/// It may be others' name, too.
#[tokio::test]
async fn row_04_a_name_of_the_users_own_is_not_gone_by_on_postgres() {
    let server = <Postgres as Server>::launch().await;
    let (_held, others) = others_in_postgres(&server).await;
    let env = [("PGAPPNAME", "bench/1")];
    let (_idle, ours) = after_a_look_of(&server, &others, &env).await;
    let left = sessions(&server).await;
    assert!(
        ours.iter().all(|session| left.contains(session)),
        "{ours:?} {left:?}"
    );
}

#[tokio::test]
async fn row_04_it_ends_the_oldest_idle_ones_of_its_function_on_mariadb() {
    let server = mariadb_of_ten().await;
    server.execute("grant process on *.* to app@'%'").await;
    let (_held, others) = others_in_mariadb(&server).await;
    ends(&server, &others).await;
}

#[tokio::test]
async fn row_04_without_the_right_to_see_transactions_it_ends_none_on_mariadb() {
    let server = mariadb_of_ten().await;
    let (_held, others) = others_in_mariadb(&server).await;
    let (_idle, ours) = after_a_look(&server, &others).await;
    let left = sessions(&server).await;
    assert!(
        ours.iter().all(|session| left.contains(session)),
        "{ours:?} {left:?}"
    );
}

async fn mariadb_of_ten() -> Mariadb {
    let server = ten_in_mariadb().await;
    let mut app = MySqlConnection::connect(&server.url())
        .await
        .expect("a connection");
    app.execute("create table notes (text varchar(80))")
        .await
        .expect("a table");
    app.close().await.expect("an end");
    server
}

/// Another function's, one that is nobody's, and one of ours in a transaction.
async fn others_in_mariadb(server: &Mariadb) -> (Vec<MySqlConnection>, Vec<i64>) {
    let mut held = Vec::new();
    let mut others = Vec::new();
    for name in ["other", "", "bench"] {
        let mut connection = MySqlConnection::connect(&server.url())
            .await
            .expect("a connection");
        let sql = sqlx::AssertSqlSafe(format!(
            "do get_lock(concat('reuse-db/{name}/', connection_id()), 0)"
        ));
        sqlx::raw_sql(sql)
            .execute(&mut connection)
            .await
            .expect("a lock");
        others.push(number_of(&mut connection).await);
        held.push(connection);
    }
    held[2].execute("begin").await.expect("a transaction");
    held[2]
        .execute("insert into notes values ('busy')")
        .await
        .expect("a note");
    (held, others)
}

/// Seven are there, and five wanted: it goes itself, and one more.
async fn ends(server: &impl Server, others: &[i64]) {
    let (idle, ours) = after_a_look(server, others).await;
    until("the end of the oldest", async || {
        !sessions(server).await.contains(&ours[0])
    })
    .await;
    let left = sessions(server).await;
    assert!(
        left.contains(&ours[1]) && left.contains(&ours[2]),
        "{ours:?} {left:?}"
    );
    for function in &idle {
        let reply = Reply::of(&function.invoke("/reaping").await);
        assert_eq!(reply.stat("refused"), 0);
    }
}
