//! A sandbox makes room while the server is nearly full: its own connection first, then the oldest idle
//! ones of its own function, and no more than needed.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod function;

use std::time::Duration;

use function::server::Server;
use function::{Function, LOGGED, Reply};
use reuse_db_tests::servers::{Mariadb, Postgres};
use reuse_db_tests::wait::until;
use serde_json::Value;
use sqlx::{Connection, Executor, MySqlConnection, PgConnection};
use tokio::time::{Instant, sleep, sleep_until};

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

/// Three of the function's sandboxes, the first idle for longest.
struct Idle {
    sandboxes: Vec<Function>,
    sessions: Vec<i64>,
    since: Instant,
}

impl Idle {
    async fn start(server: &impl Server, env: &[(&str, &str)]) -> Self {
        let (mut sandboxes, mut sessions) = (Vec::new(), Vec::new());
        for n in 0..3 {
            if n < 2 {
                // MariaDB counts by the second: the first is younger than all that is there, and older
                // than the others.
                sleep(Duration::from_millis(1_100)).await;
            }
            let function = Function::start_with(server, env).await;
            sessions.push(session(&function, "/reaping").await);
            sandboxes.push(function);
        }
        Self {
            sandboxes,
            sessions,
            since: Instant::now(),
        }
    }

    /// Until each of them may be ended.
    async fn for_long(&self) {
        sleep_until(self.since + IDLE).await;
    }
}

/// A new sandbox sees that there is too little room, and goes itself. The answer are the sessions that are
/// left, of which those of `idle` were all there before, and what it has logged of others.
async fn after_a_look(
    server: &impl Server,
    env: &[(&str, &str)],
    idle: &Idle,
) -> (Vec<i64>, Vec<(String, Value)>) {
    let new = Function::start_with(server, &[env, &LOGGED].concat()).await;
    // Not later: the server counts who asks, too.
    are_among(&idle.sessions, &sessions(server).await);
    session(&new, "/reaping").await;
    let own = session(&new, "/reaping").await;
    // What it says last.
    let went = |(event, _): &(String, Value)| event == "INFO made room";
    until("its own end", async || {
        !sessions(server).await.contains(&own) && new.events().iter().any(went)
    })
    .await;
    let mut events = new.events();
    for (expected, fields) in [
        ("DEBUG counted", ["used", "most", "ours"].as_slice()),
        ("INFO made room", &["used", "most"]),
    ] {
        let found = events.iter().find(|(event, _)| event == expected);
        let (_, event) = found.expect(expected);
        assert!(fields.iter().all(|field| event[field].is_u64()), "{event}");
    }
    events.retain(|(event, _)| event.ends_with("reaped"));
    (sessions(server).await, events)
}

fn are_among(some: &[i64], all: &[i64]) {
    assert!(
        some.iter().all(|session| all.contains(session)),
        "{some:?} {all:?}"
    );
}

/// Two more are there than wanted: whoever looks goes itself, and ends the oldest idle one. But none that
/// has been idle for less than 10 s (row 5), none while the last of the `others` holds the lock, and none of
/// these.
async fn ends<C: Connection>(
    server: &impl Server,
    mut others: Vec<C>,
    [lock, unlock]: [&'static str; 2],
) where
    for<'c> &'c mut C: Executor<'c>,
{
    let idle = Idle::start(server, &[]).await;
    let (left, says) = after_a_look(server, &[], &idle).await;
    are_among(&idle.sessions, &left);
    assert!(says.is_empty(), "{says:?}");

    idle.for_long().await;
    let last = others.last_mut().expect("others");
    last.execute(lock).await.expect("a lock");
    let (left, says) = after_a_look(server, &[], &idle).await;
    are_among(&idle.sessions, &left);
    assert!(says.is_empty(), "{says:?}");

    let last = others.last_mut().expect("others");
    last.execute(unlock).await.expect("no lock");
    let (_, says) = after_a_look(server, &[], &idle).await;
    assert!(
        says.len() == 1 && says[0].0 == "INFO reaped" && says[0].1["ended"] == 1,
        "{says:?}"
    );
    until("the end of the oldest", async || {
        !sessions(server).await.contains(&idle.sessions[0])
    })
    .await;
    are_among(&idle.sessions[1..], &sessions(server).await);
    for function in &idle.sandboxes {
        let reply = Reply::of(&function.invoke("/reaping").await);
        assert_eq!(reply.stat("refused"), 0);
    }
    for other in &mut others {
        other.ping().await.expect("it was not ended");
    }
}

/// Though they have long been idle. The answer is what is logged of it.
async fn ends_none(server: &impl Server, env: &[(&str, &str)]) -> Vec<(String, Value)> {
    let idle = Idle::start(server, env).await;
    idle.for_long().await;
    let (left, says) = after_a_look(server, env, &idle).await;
    are_among(&idle.sessions, &left);
    says
}

/// Another function's, one of ours in a transaction, another user's and one in another database by our
/// name, and one that is nobody's. The user may see and end them all.
async fn others_in_postgres(server: &Postgres) -> Vec<PgConnection> {
    for sql in [
        "alter system set max_connections = 17",
        "create role helper login password 's3cret'",
        "grant helper to app",
        "create database elsewhere",
    ] {
        server.execute(sql).await;
    }
    server.restart().await;
    let app = server.url();
    let elsewhere = format!("{}elsewhere", app.trim_end_matches("app"));
    let mut others = Vec::new();
    for (url, name) in [
        (app.clone(), "other/1"),
        (app.clone(), "bench/busy"),
        (app.replace("//app:", "//helper:"), "bench/1"),
        (elsewhere, "bench/1"),
        (app, "mine"),
    ] {
        let url = format!("{url}?application_name={name}");
        let connection = PgConnection::connect(&url).await.expect("a connection");
        others.push(connection);
    }
    others[1].execute("begin").await.expect("a transaction");
    others[1]
        .execute("insert into notes values ('busy')")
        .await
        .expect("a note");
    others
}

const POSTGRES_LOCK: [&str; 2] = [
    "select pg_advisory_lock(hashtext('reuse-db'), hashtext('appbench'))",
    "select pg_advisory_unlock_all()",
];

#[tokio::test]
async fn row_04_it_ends_the_oldest_idle_ones_of_its_function_on_postgres() {
    let server = <Postgres as Server>::launch().await;
    let others = others_in_postgres(&server).await;
    ends(&server, others, POSTGRES_LOCK).await;
}

/// Whatever role they have taken on.
#[tokio::test]
async fn row_04_a_role_makes_no_session_anothers_on_postgres() {
    let server = <Postgres as Server>::launch().await;
    let others = others_in_postgres(&server).await;
    server.execute("alter role app set role = helper").await;
    ends(&server, others, POSTGRES_LOCK).await;
}

/// It may be others' name, too.
#[tokio::test]
async fn row_04_a_name_of_the_users_own_is_not_gone_by_on_postgres() {
    let server = <Postgres as Server>::launch().await;
    let _others = others_in_postgres(&server).await;
    let says = ends_none(&server, &[("PGAPPNAME", "bench/1")]).await;
    assert!(says.is_empty(), "{says:?}");
}

#[tokio::test]
async fn row_04_it_ends_the_oldest_idle_ones_of_its_function_on_mariadb() {
    let server = mariadb_of_fourteen().await;
    for right in ["process", "connection admin"] {
        server
            .execute(&format!("grant {right} on *.* to app@'%'"))
            .await;
    }
    let others = others_in_mariadb(&server).await;
    let lock = [
        "do get_lock('reuse-db/bench/reaper', 0)",
        "do release_lock('reuse-db/bench/reaper')",
    ];
    ends(&server, others, lock).await;
}

#[tokio::test]
async fn row_04_without_the_right_to_see_transactions_it_ends_none_on_mariadb() {
    let server = mariadb_of_fourteen().await;
    let _others = others_in_mariadb(&server).await;
    let says = ends_none(&server, &[]).await;
    assert_eq!(says.len(), 1, "{says:?}");
    let (event, fields) = &says[0];
    assert_eq!(event, "WARN not reaped");
    assert!(fields["error"].to_string().contains("PROCESS"), "{fields}");
}

async fn mariadb_of_fourteen() -> Mariadb {
    let server = Mariadb::builder()
        .setting("max-connections", "14")
        .start()
        .await;
    for sql in [
        "create table app.notes (text varchar(80))",
        "create user helper@'%' identified by 's3cret'",
        "grant all on app.* to helper@'%'",
        "create database elsewhere",
        "grant all on elsewhere.* to app@'%'",
    ] {
        server.execute(sql).await;
    }
    server
}

/// The same as in PostgreSQL.
async fn others_in_mariadb(server: &Mariadb) -> Vec<MySqlConnection> {
    let app = server.url();
    let elsewhere = format!("{}elsewhere", app.trim_end_matches("app"));
    let mut others = Vec::new();
    for (url, name) in [
        (app.clone(), "other"),
        (app.clone(), "bench"),
        (app.replace("//app:", "//helper:"), "bench"),
        (elsewhere, "bench"),
        (app, ""),
    ] {
        let mut connection = MySqlConnection::connect(&url).await.expect("a connection");
        let sql = sqlx::AssertSqlSafe(format!(
            "do get_lock(concat('reuse-db/{name}/', connection_id()), 0)"
        ));
        sqlx::raw_sql(sql)
            .execute(&mut connection)
            .await
            .expect("a lock");
        others.push(connection);
    }
    others[1].execute("begin").await.expect("a transaction");
    others[1]
        .execute("insert into notes values ('busy')")
        .await
        .expect("a note");
    others
}
