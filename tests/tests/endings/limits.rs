//! The limits that a session gets at its connect, and those that they yield to.

use std::time::Duration;

use lambda_bench::servers::{Mysql, Postgres};
use reuse_db_tests::function::a_long_freeze;
use reuse_db_tests::on_each_server;

use super::*;

const TIME_OUT: Duration = Duration::from_secs(3);

const SHOW: &str = "raw select string_agg(name || '=' || setting, ' ' order by name) \
    from pg_settings where name in ('statement_timeout', 'idle_in_transaction_session_timeout', \
    'idle_session_timeout', 'client_connection_check_interval')";

const SHOW_MARIADB: &str = "raw select concat(@@max_statement_time, ' ', \
    @@idle_transaction_timeout, ' ', @@innodb_lock_wait_timeout, ' ', @@wait_timeout)";

/// MySQL has no limit for a transaction. Its limit of a statement is in milliseconds.
const SHOW_MYSQL: &str = "raw select concat(@@max_execution_time, ' ', \
    @@innodb_lock_wait_timeout, ' ', @@wait_timeout)";

const FORMS: [&str; 5] = ["/conn", "/tx", "/pool", "/lease", "/any"];

#[tokio::test]
async fn a_session_of_postgres_gets_them_without_a_round_trip() {
    let server = Postgres::launch().await;
    for form in FORMS {
        let function = scripted(&server, "plain", TIME_OUT).await;
        let rows = function.rows(form, SHOW).await;
        let expected = if server.major() < 14 {
            "idle_in_transaction_session_timeout=4000 statement_timeout=4000"
        } else {
            "client_connection_check_interval=100 idle_in_transaction_session_timeout=4000 \
             idle_session_timeout=300000 statement_timeout=4000"
        };
        assert_eq!(rows, [expected], "{form}");
    }
    if server.major() < 14 {
        return;
    }
    for (time_out, limit, idle) in [(29, 30_000, 300_000), (900, 901_000, 901_000)] {
        let function = scripted(&server, "plain", Duration::from_secs(time_out)).await;
        let rows = function.rows("/conn", SHOW).await;
        let text = rows[0].as_str().expect("settings");
        assert!(
            text.contains(&format!("idle_session_timeout={idle} ")),
            "{text}"
        );
        assert!(
            text.ends_with(&format!("statement_timeout={limit}")),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_session_of_mysql_gets_them_in_its_set_up() {
    let server = Mysql::launch().await;
    for form in FORMS {
        let function = scripted(&server, "plain", TIME_OUT).await;
        let (show, expected) = match form {
            _ if server.is_mariadb() => (SHOW_MARIADB, "4.000000 4 4 300"),
            // The idle limit is that of the transaction.
            "/tx" => (SHOW_MYSQL, "4000 4 4"),
            _ => (SHOW_MYSQL, "4000 4 300"),
        };
        assert_eq!(function.rows(form, show).await, [expected], "{form}");
    }
}

/// Returns the settings of a function whose connections were opened in its initialization.
async fn opened_in_init(server: &impl Server, form: &str, show: &str) -> Vec<serde_json::Value> {
    let env = [("SOURCE", "plain"), ("WARM", &form[1..])];
    let function = Function::start_sandbox(program("field_function"), server, &env, |sandbox| {
        sandbox.timeout(TIME_OUT)
    })
    .await;
    function.rows(form, "raw select 1").await;
    let mut shown = function.rows(form, show).await;
    // A reset restores the values of the session's start.
    let failing = format!("{form}?end=fail");
    function.script(&failing, "raw select 1").await.error();
    shown.extend(function.rows(form, show).await);
    let stats = function.script(form, "raw select 1").await.ok().json();
    assert_eq!(stats["stats"]["opened"], 1, "{form}: {stats}");
    shown
}

#[tokio::test]
async fn a_connection_of_the_initialization_gets_them_after_its_first_response_on_postgres() {
    let server = Postgres::launch().await;
    let show = "raw select current_setting('statement_timeout') || ' ' || \
        current_setting('idle_in_transaction_session_timeout')";
    for form in ["/conn", "/pool", "/any"] {
        let shown = opened_in_init(&server, form, show).await;
        assert_eq!(shown, ["4s 4s", "4s 4s"], "{form}");
    }
    server
        .execute("alter role app set statement_timeout = '2s'")
        .await;
    for form in ["/conn", "/pool", "/any"] {
        let shown = opened_in_init(&server, form, show).await;
        assert_eq!(shown, ["2s 4s", "2s 4s"], "{form}");
    }
}

#[tokio::test]
async fn a_connection_of_the_initialization_gets_them_after_its_first_response_on_mysql() {
    let server = Mysql::launch().await;
    let (show, stricter, expected) = if server.is_mariadb() {
        (
            "raw select concat(@@max_statement_time, ' ', @@idle_transaction_timeout, ' ', \
                @@innodb_lock_wait_timeout)",
            "set global max_statement_time = 2",
            ["4.000000 4 4", "2.000000 4 4"],
        )
    } else {
        (
            "raw select concat(@@max_execution_time, ' ', @@innodb_lock_wait_timeout)",
            "set global max_execution_time = 2000",
            ["4000 4", "2000 4"],
        )
    };
    for form in ["/conn", "/pool", "/any"] {
        let shown = opened_in_init(&server, form, show).await;
        assert_eq!(shown, [expected[0]; 2], "{form}");
    }
    server.execute(stricter).await;
    for form in ["/conn", "/pool", "/any"] {
        let shown = opened_in_init(&server, form, show).await;
        assert_eq!(shown, [expected[1]; 2], "{form}");
    }
}

on_each_server! {
    /// Lambda repeats an initialization that took too long within the first invocation.
    async fn they_follow_the_longest_time_of_an_invocation(server: &impl Server) {
        let sleep = if server.url().starts_with("postgres") {
            "raw select pg_sleep(3.3)"
        } else {
            "raw select sleep(3.3)"
        };
        for form in ["/conn", "/pool", "/any"] {
            let env = [("SOURCE", "plain")];
            let function = Function::start_sandbox(program("field_function"), server, &env, |sandbox| {
                sandbox.timeout(Duration::from_secs(5)).late_first(Duration::from_secs(3))
            })
            .await;
            function.script(form, "raw select 1").await.ok();
            function.script(form, sleep).await.ok();
        }
    }
}

#[tokio::test]
async fn the_url_comes_first() {
    let server = Postgres::launch().await;
    let function = Function::start_sandbox(
        program("field_function"),
        &server,
        &[("SOURCE", "plain")],
        |sandbox| {
            let url = server.url();
            sandbox.env(
                "DATABASE_URL",
                format!("{url}?options=-c%20statement_timeout=1234ms"),
            )
        },
    )
    .await;
    let rows = function.rows("/conn", "raw show statement_timeout").await;
    assert_eq!(rows, ["1234ms"]);
}

#[tokio::test]
async fn a_stricter_limit_of_role_or_database_stays() {
    for owner in ["role app", "database app", "role app in database app"] {
        let server = Postgres::launch().await;
        server
            .execute(&format!("alter {owner} set statement_timeout = '2s'"))
            .await;
        server
            .execute(&format!(
                "alter {owner} set idle_in_transaction_session_timeout = '1min'"
            ))
            .await;
        let function = scripted(&server, "plain", TIME_OUT).await;
        let show = "raw select current_setting('statement_timeout') || ' ' || \
            current_setting('idle_in_transaction_session_timeout')";
        function.rows("/conn", show).await;
        let rows = function.rows("/conn", show).await;
        assert_eq!(rows, ["2s 4s"], "{owner}");
        // A reset restores the values of the session's start.
        function
            .script("/conn?end=fail", "raw select 1")
            .await
            .error();
        let rows = function.rows("/conn", show).await;
        assert_eq!(rows, ["2s 4s"], "{owner}");
        // A new connection of the sandbox.
        server.end_sessions().await;
        a_long_freeze().await;
        let rows = function.rows("/conn", show).await;
        assert_eq!(rows, ["2s 4s"], "{owner}");
        assert_eq!(function.rows("/pool", show).await, ["2s 4s"], "{owner}");
    }
}

#[tokio::test]
async fn the_url_comes_before_a_stricter_limit_of_the_role() {
    let server = Postgres::launch().await;
    server
        .execute("alter role app set statement_timeout = '2s'")
        .await;
    let url = format!("{}?options=-c%20statement_timeout=60s", server.url());
    let function = Function::start_sandbox(
        program("field_function"),
        &server,
        &[("SOURCE", "plain")],
        |sandbox| sandbox.env("DATABASE_URL", url),
    )
    .await;
    for _ in 0..3 {
        let rows = function.rows("/conn", "raw show statement_timeout").await;
        assert_eq!(rows, ["1min"]);
    }
}

#[tokio::test]
async fn a_stricter_limit_of_mysql_stays() {
    let server = Mysql::launch().await;
    server
        .execute("set global innodb_lock_wait_timeout = 1")
        .await;
    let (show, expected) = if server.is_mariadb() {
        server.execute("set global max_statement_time = 2").await;
        server
            .execute("set global idle_transaction_timeout = 60")
            .await;
        (SHOW_MARIADB, "2.000000 4 1 300")
    } else {
        server.execute("set global max_execution_time = 2000").await;
        (SHOW_MYSQL, "2000 1 300")
    };
    let function = scripted(&server, "plain", TIME_OUT).await;
    assert_eq!(function.rows("/conn", show).await, [expected]);
}

#[tokio::test]
async fn a_handler_may_pause_for_as_long_as_its_function_may_run() {
    let server = Postgres::launch().await;
    let function = scripted(&server, "plain", Duration::from_secs(4)).await;
    for form in ["/conn", "/tx", "/lease-tx"] {
        function
            .script(form, "raw select 1\nsleep 3000\nraw select 1")
            .await
            .ok();
    }
}
