//! Rows 8, 9 and 15: no lock is frozen, a reset session equals a new one, and a health check uses
//! no name that a user can replace.

use lambda_bench::servers::{Mysql, Postgres};
use reuse_db_tests::function::Function;
use reuse_db_tests::function::server::Server;

/// The handler of a migration fails, and returns `Ok`, as a custom resource must.
#[tokio::test]
async fn advisory_locks_are_released_after_the_first_successes() {
    let server = <Postgres as Server>::launch().await;
    let locks = "select count(*) from pg_locks where locktype = 'advisory'";
    let lock = "select pg_advisory_lock(42)";
    for form in ["/conn", "/tx", "/pool"] {
        let function = Function::start_scripted(&server, "plain").await;
        for end in ["200", "200", "fail", "500", "404"] {
            function.script(&format!("{form}?end={end}"), lock).await;
            assert_eq!(server.number(locks).await, 0, "{form} {end}");
        }
    }
}

#[tokio::test]
async fn named_locks_of_mysql_are_released_after_the_first_successes() {
    let server = <Mysql as Server>::launch().await;
    let is_free = "select cast(is_free_lock('own') as signed)";
    for form in ["/conn", "/tx", "/pool"] {
        let function = Function::start_scripted(&server, "plain").await;
        for end in ["200", "200", "fail", "500"] {
            let locks = "select get_lock('own', 1)\nraw lock tables notes write";
            function.script(&format!("{form}?end={end}"), locks).await;
            // Another session can write.
            server
                .execute("insert into app.notes values ('a note')")
                .await;
            assert_eq!(server.number(is_free).await, 1, "{form} {end}");
        }
    }
}

/// The name of a check's function leads to another function, in each session of the role.
#[tokio::test]
async fn a_health_check_uses_no_name_that_a_user_can_replace() {
    let server = Postgres::builder()
        .setting("log_statement", "all")
        .start()
        .await;
    let function = Function::start_scripted(&server, "writer").await;
    for statement in [
        "create schema mock",
        "create function mock.now() returns timestamptz language sql as 'select timestamptz ''2020-01-01'''",
        "create function mock.statement_timestamp() returns timestamptz language sql as \
         'select timestamptz ''2021-01-01'''",
        "create function mock.current_setting(text) returns text language sql as 'select ''on'''",
        "create function mock.pg_advisory_unlock_all() returns int language sql as 'select 1 / 0'",
        "create function mock.same(text, text) returns bool language sql as 'select true'",
        "create operator mock.= (leftarg = text, rightarg = text, function = mock.same)",
        "alter role app set search_path = mock, pg_catalog",
    ] {
        function.script("/conn", statement).await.ok();
    }
    server.end_sessions().await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let before = function.script("/conn", "select 1").await;
    let opened =
        |answer: &lambda_bench::lambda::Answer| answer.ok().json()["stats"]["opened"].clone();
    let first = opened(&before);
    for end in ["200", "fail", "200", "500", "200"] {
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
        let counts = function.proxy.counts();
        function
            .script(&format!("/conn?end={end}"), "select 1")
            .await;
        let round_trips = (function.proxy.counts() - counts).round_trips;
        assert!(round_trips <= 5, "{end}: {round_trips} round trips");
    }
    assert_eq!(opened(&function.script("/conn", "select 1").await), first);
}

/// Row 9. The state is compared with that of a new session. A load query sets the idle limit, and
/// the first response the limit of a transaction, which PostgreSQL 17 and later have.
#[tokio::test]
async fn a_reset_session_equals_a_new_one() {
    let server = <Postgres as Server>::launch().await;
    server.execute("create role owner nologin").await;
    server.execute("grant owner to app").await;
    server.execute("alter role app set role = owner").await;
    server.execute("alter role app set work_mem = '7MB'").await;
    server
        .execute("alter database app set statement_timeout = '77s'")
        .await;
    let state = "select concat_ws(' ', current_user, session_user, \
        (select string_agg(name || '=' || setting || source, ' ' order by name) from pg_settings \
            where name not in ('idle_session_timeout', 'transaction_timeout')), \
        (select string_agg(statement, ' ') from pg_prepared_statements where from_sql), \
        (select count(*) from pg_class where relpersistence = 't'), \
        (select count(*) from pg_cursors), (select count(*) from pg_listening_channels()))";
    let change = "set role none\n\
        set work_mem = '1MB'\n\
        set time zone 'Asia/Tokyo'\n\
        set search_path = pg_temp\n\
        set session characteristics as transaction read only\n\
        prepare \"my own\" as select 1\n\
        listen jobs\n\
        declare c cursor with hold for select 1";
    for form in ["/conn", "/pool"] {
        let new = Function::start_scripted(&server, "set_up").await;
        let new = new.rows(form, state).await;
        let function = Function::start_scripted(&server, "set_up").await;
        for end in ["fail", "500"] {
            function.script(&format!("{form}?end={end}"), change).await;
            let reset = function.rows(form, state).await;
            assert!(reset == new, "{form} {end}:\n{reset:?}\n{new:?}");
        }
    }
}

/// SQL cannot reset the session, so a new connection replaces it.
#[tokio::test]
async fn a_failed_session_of_mysql_equals_a_new_one() {
    let server = <Mysql as Server>::launch().await;
    server.execute("create database other").await;
    server.execute("grant all on other.* to app").await;
    // MariaDB reads only the first of the two special comments, and MySQL only the second.
    let state = "select concat_ws(' ', @@autocommit, @@time_zone, @@sql_mode, \
        @@foreign_key_checks, /*M! @@tx_isolation *//*!80000 @@transaction_isolation */, \
        @@wait_timeout, database(), coalesce(@tenant, ''), \
        (select count(*) from information_schema.innodb_trx))";
    let changes = [
        "raw set autocommit = 0",
        "raw set time_zone = '+05:00'",
        "raw set sql_mode = ''",
        "raw set foreign_key_checks = 0",
        "raw set session transaction isolation level read uncommitted",
        "raw use other",
        "raw set @tenant = 'a'",
        "raw create temporary table notes (text varchar(80))",
        "raw lock tables notes read",
    ];
    server.execute("grant process on *.* to app").await;
    for form in ["/conn", "/pool"] {
        let function = Function::start_scripted(&server, "plain").await;
        let new = function.rows(form, state).await;
        for change in changes {
            for end in ["fail", "500"] {
                let script = format!("{change}\nselect 1");
                function.script(&format!("{form}?end={end}"), &script).await;
                assert_eq!(
                    function.rows(form, state).await,
                    new,
                    "{form} {end} {change}"
                );
                let note = "insert into notes values ('a note')";
                function.script(form, note).await.ok();
            }
        }
    }
    let notes = "select count(*) from notes";
    assert_eq!(server.number(notes).await, 2 * 2 * 9);
}

/// A route that fails costs no connection if its handler leaves the session as it was.
#[tokio::test]
async fn a_failure_that_changes_no_session_costs_no_connection_on_mysql() {
    let server = <Mysql as Server>::launch().await;
    let function = Function::start_scripted(&server, "plain").await;
    for _ in 0..5 {
        function.script("/conn?end=fail", "select 1").await;
        function
            .script("/conn", "insert into notes values ('a note')")
            .await
            .ok();
        function
            .script("/tx?end=fail", "insert into notes values ('a note')")
            .await;
        function
            .script("/tx", "insert into notes values ('a note')")
            .await
            .ok();
    }
    assert_eq!(function.proxy.connections(), 1);
}
