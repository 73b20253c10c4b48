//! Nothing crosses invocations: after a failure, a panic, or a cancelled statement, the next
//! invocation has a clean session.

#![expect(clippy::panic, reason = "a test fails by panicking, with a message")]

use std::time::Duration;

use lambda_bench::lambda::{Event, Outcome};
use lambda_bench::servers::{Mysql, Postgres};
use lambda_bench::wait::until;
use reuse_db::{Exclusive, Lease, Outcome as LeaseOutcome};
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, RUN, Reply, program};
use reuse_db_tests::on_each_server_and_runtime;
use reuse_db_tests::statics::{exclusive, source};
use sqlx::{MySqlConnection, PgConnection};

/// `how` cancels a statement before its answer: the network is slow.
async fn leaves_nothing_behind(server: &impl Server, how: &str) {
    let function = Function::start(server).await;
    function.proxy.delay(Duration::from_millis(60));
    for n in 1..=3 {
        Reply::of(&function.invoke(&format!("/end?how={how}")).await);
        // A statement that inspects the session may run until the freeze.
        until("the end of the transaction", async || {
            let sessions = server.sessions().await;
            !sessions.iter().any(|session| session.in_transaction)
        })
        .await;
        function.add(n).await;
    }
}

/// Each round opens `opens` connections, and leaves one session on the server.
async fn recovers_from(server: &impl Server, how: &str, opens: u64) {
    let function = Function::start(server).await;
    let mut opened = function.add(0).await.stat("opened");
    for n in 1..=3 {
        let event = Event::get(&format!("/end?how={how}"));
        function.sandbox.invoke(event).await;
        let reply = function.add(n).await;
        opened += opens;
        assert_eq!(reply.stat("opened"), opened, "{how}, round {n}");
        until("the end of a dropped connection's session", async || {
            server.sessions().await.len() == 1
        })
        .await;
        let kept = server.sessions().await[0].pid;
        assert_eq!(function.add(n).await.session, kept, "{how}, round {n}");
    }
}

/// Starts the function with a deadline of 2 s.
async fn with_a_near_deadline(server: &impl Server, run: &str) -> Function {
    Function::start_sandbox(program("function"), server, &[("RUN", run)], |builder| {
        builder.timeout(Duration::from_secs(2))
    })
    .await
}

/// Returns the error of an invocation whose COMMIT gets no answer.
async fn error_of_a_commit(function: &Function) -> String {
    let path = "/note?how=last-words";
    // A busy machine may need more than the 50 ms between the end of the wait and the deadline.
    for _ in 0..5 {
        function.invoke(path).await.ok();
        function.proxy.stall_after("last words");
        let answer = function.sandbox.invoke(Event::get(path)).await;
        match &answer.outcome {
            Outcome::Failed(error) => return error.message.clone(),
            Outcome::TimedOut => {}
            _ => panic!("{answer:?}"),
        }
    }
    panic!("five invocations in a row missed the deadline");
}

on_each_server_and_runtime! {
    async fn a_commit_cut_off_by_the_deadline_is_an_error_and_costs_no_process(
        server: &impl Server
    ) {
        let function = with_a_near_deadline(server, RUN.get()).await;
        let message = error_of_a_commit(&function).await;
        assert!(
            message.contains("COMMIT") && message.contains("may or may not have happened"),
            "{message}"
        );
        let starts = function.sandbox.starts();
        for n in 1..=3 {
            let answer = function.invoke(&format!("/note?n={n}")).await;
            assert_eq!(Reply::of(&answer).sum, n + 1);
        }
        assert_eq!(function.sandbox.starts(), starts, "the process goes on");
    }

    async fn a_panic_costs_one_connection(server: &impl Server) {
        recovers_from(server, "panic", 1).await;
    }

    /// The handler cancels its query, and succeeds.
    async fn a_cancelled_query_costs_no_connection(server: &impl Server) {
        recovers_from(server, "cut", 0).await;
    }

    async fn a_cancelled_begin_leaves_no_transaction(server: &impl Server) {
        leaves_nothing_behind(server, "cut-begin").await;
    }

    /// The server still prepares the query.
    async fn a_query_cancelled_before_it_ran_leaves_nothing(server: &impl Server) {
        leaves_nothing_behind(server, "cut").await;
    }

    async fn a_cancelled_handler_costs_one_connection(server: &impl Server) {
        recovers_from(server, "cut-off", 1).await;
    }

    async fn a_failure_costs_no_connection(server: &impl Server) {
        recovers_from(server, "fail", 0).await;
    }

    /// A query that still runs after `check_timeout` costs its connection.
    async fn a_long_cancelled_query_delays_nobody(server: &impl Server) {
        let function = Function::start(server).await;
        for n in 1..=3 {
            function.sandbox.invoke(Event::get("/end?how=cut-long")).await;
            let answer = function.sandbox.invoke(Event::get(&format!("/add?n={n}"))).await;
            assert_eq!(Reply::of(&answer).sum, n + 1);
            assert!(answer.took < Duration::from_secs(4), "the query takes 5 s: {answer:?}");
        }
    }
}

/// A connection that was just opened is not replaced at BEGIN.
#[tokio::test]
async fn a_begin_cut_off_by_the_deadline_is_an_error_and_costs_no_process() {
    let server = <Postgres as Server>::launch().await;
    let function = with_a_near_deadline(&server, "errors").await;
    // The last message of a server to a new connection contains this word.
    function.proxy.stall_after("server_version");
    let answer = function.sandbox.invoke(Event::get("/note")).await;
    let message = &answer.error().message;
    assert!(message.contains("no answer to BEGIN in time"), "{message}");
    for n in 1..=3 {
        let answer = function.invoke(&format!("/note?n={n}")).await;
        assert_eq!(Reply::of(&answer).sum, n + 1);
    }
    assert_eq!(function.sandbox.starts(), 1);
}

/// Each session of the server begins with a SET that reuse-db does not know.
#[tokio::test]
async fn the_servers_own_set_up_costs_one_connection_of_mysql() {
    let server = <Mysql as Server>::launch().await;
    server
        .execute("set global init_connect = 'set sql_safe_updates = 1'")
        .await;
    let function = Function::start_program(program("field_function"), &server, &[]).await;
    for _ in 0..8 {
        let answer = function.script("/conn?end=fail", "select 1").await;
        answer.error();
    }
    // Every second failure in a row replaces the connection.
    let replaced = function.proxy.connections();
    for _ in 0..8 {
        function.script("/conn?end=fail", "select 1").await.error();
        function.script("/conn", "select 1").await.ok();
    }
    let connections = function.proxy.connections() - replaced;
    assert!(connections <= 1, "{connections} connections");
}

/// The server ends each new session: waiting does not help.
#[tokio::test]
async fn a_set_up_of_the_server_that_fails_is_not_waited_for_on_mysql() {
    let server = <Mysql as Server>::launch().await;
    server
        .execute("set global init_connect = 'select * from nowhere.nothing'")
        .await;
    let function = Function::start_program(program("field_function"), &server, &[]).await;
    let begun = tokio::time::Instant::now();
    function.script("/conn", "select 1").await.error();
    assert!(begun.elapsed() < Duration::from_secs(2));
}

/// Runs `leak` in a failed invocation. `is_clean` is a query that yields true in a clean session.
macro_rules! is_reset {
    (
        $server:ident, $connection:ty, $set_up:literal,
        leak: $leak:literal, is_clean: $is_clean:literal
    ) => {
        let source = source(Server::url(&$server)).on_connect($set_up);
        let db: &Exclusive<$connection> = exclusive(source);
        for _ in 0..2 {
            let mut lease = db.lease().await.expect("a connection");
            let connection = Lease::open(&mut lease).await.expect("an open lease");
            sqlx::raw_sql($leak)
                .execute(&mut *connection)
                .await
                .expect("a changed session");
            Lease::settle(lease, LeaseOutcome::Failure);
            let mut lease = db.lease().await.expect("the same connection");
            let connection = Lease::open(&mut lease).await.expect("an open lease");
            // The second run uses the prepared statement, which a reset keeps.
            for _ in 0..2 {
                let is_clean: bool = sqlx::query_scalar($is_clean)
                    .fetch_one(&mut *connection)
                    .await
                    .expect("an answer");
                assert!(is_clean);
            }
            Lease::settle(lease, LeaseOutcome::Success);
        }
        assert_eq!(db.stats().opened, 1, "{:?}", db.stats());
        let notes = $server.number("select count(*) from notes").await;
        assert_eq!(notes, 0);
    };
}

#[tokio::test]
async fn a_failed_invocations_settings_role_tables_and_locks_are_reset_on_postgres() {
    let server = <Postgres as Server>::launch().await;
    server.execute("grant pg_monitor to app").await;
    is_reset!(
        server, PgConnection, "set search_path to app",
        leak: "set search_path to nowhere; create temp table left_over (n int); \
               select pg_advisory_lock(7); listen news; begin; \
               insert into public.notes values ('open'); set role pg_monitor",
        is_clean: "select (current_setting('search_path') = 'app') and current_user = 'app' \
                   and to_regclass('left_over') is null \
                   and not exists (select from pg_locks where locktype = 'advisory') \
                   and not exists (select from pg_listening_channels())"
    );
}

#[tokio::test]
async fn a_failed_invocations_locks_are_released_on_mysql() {
    let server = <Mysql as Server>::launch().await;
    server.execute("grant process on *.* to app@'%'").await;
    is_reset!(
        server, MySqlConnection, "set @app = 1",
        leak: "do get_lock('left_over', 0); lock tables notes write; \
               unlock tables; start transaction; insert into notes values ('open')",
        is_clean: "select is_used_lock('left_over') is null and not exists \
                   (select * from information_schema.innodb_trx \
                   where trx_mysql_thread_id = connection_id())"
    );
}
