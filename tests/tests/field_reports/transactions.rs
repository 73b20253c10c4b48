//! Rows 10 and 12: an error of COMMIT keeps its code, and no transaction of a handler's own SQL
//! stays open.

use std::time::Duration;

use lambda_bench::servers::{Mysql, Postgres};
use reuse_db::{Finish as _, Lease, Outcome};
use reuse_db_tests::function::Function;
use reuse_db_tests::function::server::Server;
use reuse_db_tests::on_each_server;
use reuse_db_tests::statics::{exclusive, source};
use sqlx::error::DatabaseError;
use sqlx::{Connection as _, MySql, PgConnection, Postgres as Pg, Transaction};

/// Returns the code of an error as a handler that returns `sqlx::Error` gets it.
fn code_of(error: reuse_db::Error) -> String {
    let text = error.to_string();
    assert!(text.starts_with("COMMIT failed: "), "{text}");
    let error = sqlx::Error::from(error);
    assert!(error.to_string().contains(&text), "{error}");
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.map(String::from).unwrap_or_default()
}

/// Runs SQL in a transaction, and returns the code of the error of its COMMIT.
async fn code_of_commit(server: &Postgres, sql: &'static str) -> String {
    let db = exclusive::<Transaction<'_, Pg>>(source(server.url()));
    let mut lease = db.lease().await.expect("a lease");
    let mut transaction = Lease::open(&mut lease).await.expect("a transaction");
    let _ = sqlx::raw_sql(sql).execute(&mut *transaction).await;
    let error = transaction.finish(Outcome::Success).await;
    code_of(error.expect_err("the COMMIT fails"))
}

#[tokio::test]
async fn an_error_of_commit_keeps_its_sqlstate() {
    let server = <Postgres as Server>::launch().await;
    let mut app = PgConnection::connect(&server.url())
        .await
        .expect("a connection");
    let tables = "create table parents (id int primary key);
        create table children (parent int references parents deferrable initially deferred)";
    sqlx::raw_sql(tables)
        .execute(&mut app)
        .await
        .expect("tables");
    let deferred = "insert into children values (7)";
    assert_eq!(code_of_commit(&server, deferred).await, "23503");
    // The handler swallows the error of the statement.
    assert_eq!(code_of_commit(&server, "select 1 / 0").await, "25P02");
    assert_eq!(code_of_commit(&server, "commit").await, "25P01");
    assert_eq!(code_of_commit(&server, "rollback").await, "25P01");
}

#[tokio::test]
async fn a_serialization_failure_at_commit_keeps_its_sqlstate() {
    let server = <Postgres as Server>::launch().await;
    let mut other = PgConnection::connect(&server.url())
        .await
        .expect("a connection");
    let isolation = "set session characteristics as transaction isolation level serializable";
    let db = exclusive::<Transaction<'_, Pg>>(source(server.url()).on_connect(isolation));
    let mut lease = db.lease().await.expect("a lease");
    let mut transaction = Lease::open(&mut lease).await.expect("a transaction");
    let write_skew = "insert into notes select count(*)::text from notes";
    let run = sqlx::raw_sql(write_skew).execute(&mut *transaction).await;
    run.expect("a statement");
    let all = "begin isolation level serializable;
        insert into notes select count(*)::text from notes; commit";
    sqlx::raw_sql(all)
        .execute(&mut other)
        .await
        .expect("the other transaction");
    let error = transaction.finish(Outcome::Success).await;
    assert_eq!(code_of(error.expect_err("the COMMIT fails")), "40001");
}

#[tokio::test]
async fn a_transaction_that_ended_before_commit_is_an_error_on_mysql() {
    let server = <Mysql as Server>::launch().await;
    let db = exclusive::<Transaction<'_, MySql>>(source(server.url()));
    for sql in ["commit", "rollback", "create table pages (id int)"] {
        let mut lease = db.lease().await.expect("a lease");
        let mut transaction = Lease::open(&mut lease).await.expect("a transaction");
        sqlx::raw_sql(sql)
            .execute(&mut *transaction)
            .await
            .expect("a statement");
        let error = transaction.finish(Outcome::Success).await.expect_err(sql);
        assert!(
            error.to_string().contains("ended the transaction"),
            "{error}"
        );
    }
}

/// A connection whose BEGIN fails names the server's code, too.
#[tokio::test]
async fn an_error_of_connecting_keeps_its_sqlstate() {
    let server = <Postgres as Server>::launch().await;
    server.execute("alter role app connection limit 0").await;
    let limit = std::time::Duration::from_millis(300);
    let db = exclusive::<PgConnection>(source(server.url()).connect_timeout(limit));
    let error = db.lease().await.map(drop).expect_err("no connection");
    let error = sqlx::Error::from(error);
    let code = error.as_database_error().and_then(DatabaseError::code);
    assert_eq!(code.as_deref(), Some("53300"), "{error}");
    assert!(error.to_string().contains("no connection left"), "{error}");
}

on_each_server! {
    /// The handler begins a transaction in SQL, leaves it open, and succeeds.
    async fn a_transaction_begun_in_sql_is_ended_after_the_response(server: &impl Server) {
        let function = Function::start_scripted(server, "plain").await;
        for form in ["/conn", "/pool"] {
            for round in 0..2 {
                let script = format!("raw begin\ninsert into notes values ('{form}')");
                function.script(form, &script).await.ok();
                let sessions = server.sessions().await;
                let is_open = sessions.iter().any(|session| session.in_transaction);
                assert!(!is_open, "{form}, round {round}: {sessions:?}");
            }
        }
        let mut notes = function.rows("/conn", "select count(*) from notes where text = '/conn'").await;
        assert_eq!(notes.pop().as_ref().and_then(|n| n.as_str()), Some("0"));
        let events = function.events();
        let warnings = events.iter().filter(|(event, _)| {
            event.starts_with("WARN transaction left open")
        });
        let warnings: Vec<_> = warnings.map(|(_, fields)| fields).collect();
        assert!(warnings.len() >= 2, "{events:?}");
        assert_eq!(warnings[0]["function"], "bench");
        let handler = warnings[0]["handler"].as_str().expect("a handler");
        assert!(handler.ends_with("plain::conn"), "{handler}");
    }

    /// Later successes are inspected from time to time.
    async fn a_transaction_left_open_later_is_found_in_time(server: &impl Server) {
        let function = Function::start_scripted(server, "plain").await;
        for _ in 0..4 {
            function.script("/conn", "select 1").await.ok();
        }
        tokio::time::sleep(std::time::Duration::from_millis(10_100)).await;
        let script = "raw begin\ninsert into notes values ('left open')";
        function.script("/conn", script).await.ok();
        let sessions = server.sessions().await;
        assert!(!sessions.iter().any(|session| session.in_transaction), "{sessions:?}");
    }
}

/// `AnyConnection` does not tell the server's version. So a statement of its own precedes COMMIT,
/// as on PostgreSQL before 12.
#[tokio::test]
async fn a_swallowed_error_fails_the_commit_of_any() {
    let server = <Postgres as Server>::launch().await;
    let db = exclusive::<Transaction<'_, sqlx::Any>>(source(server.url()));
    for (sql, is_committed) in [
        ("insert into notes values ('kept')", true),
        ("insert into notes values ('lost'); select 1 / 0", false),
        ("insert into notes values ('kept, too')", true),
    ] {
        let mut lease = db.lease().await.expect("a lease");
        let mut transaction = Lease::open(&mut lease).await.expect("a transaction");
        let _ = sqlx::raw_sql(sql).execute(&mut *transaction).await;
        let finished = transaction.finish(Outcome::Success).await;
        assert_eq!(finished.is_ok(), is_committed, "{finished:?}");
        Lease::settle(lease, Outcome::Rejected);
    }
    assert_eq!(server.number("select count(*) from notes").await, 2);
}

/// Inspections end what the first invocations leave open, and then one in 10 s.
#[tokio::test]
async fn a_transaction_left_open_is_not_committed_by_a_later_one() {
    let server = <Postgres as Server>::launch().await;
    for (n, begin) in ["cut-begin 0", "raw begin"].into_iter().enumerate() {
        let function = Function::start_scripted(&server, "plain").await;
        let own = format!("insert into notes (text) values ('own {n}')");
        for _ in 0..3 {
            function.script("/conn", "select 1").await.ok();
            function.script("/tx", &own).await.ok();
        }
        // So that the answer to BEGIN comes after its handler has given it up.
        function.proxy.delay(Duration::from_millis(20));
        let left = format!("{begin}\ninsert into notes (text) values ('left {n}')");
        function.script("/conn", &left).await.ok();
        function.script("/tx", &own).await.ok();
        let count = |text| format!("select count(*) from notes where text = '{text} {n}'");
        assert_eq!(server.number(&count("left")).await, 0, "{begin}");
        assert_eq!(server.number(&count("own")).await, 4, "{begin}");
    }
}
