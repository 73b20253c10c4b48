//! A failure is not repeated because of the connection (rows 4 to 7).

use lambda_bench::lambda::{Answer, Outcome};
use lambda_bench::servers::{Mysql, Postgres};
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, LOGGED, program};
use reuse_db_tests::on_each_server;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

const FORMS: [&str; 3] = ["/conn", "/tx", "/pool"];

/// The ways in which a handler's result holds the error of the database.
const WRAPPERS: [&str; 3] = ["", "enum", "anyhow"];

fn succeeded(answer: &Answer) -> bool {
    matches!(&answer.outcome, Outcome::Http(http) if http.status == 200)
}

/// Changes the schema in another session.
async fn change(server: &Postgres, sql: impl Into<String>) {
    let mut app = PgConnection::connect(&server.url())
        .await
        .expect("a connection");
    let sql = sqlx::raw_sql(AssertSqlSafe(sql.into()));
    sql.execute(&mut app).await.expect("a change");
    app.close().await.expect("an end");
}

/// Runs a script `n` times, and returns the number of failed invocations.
async fn failures(function: &Function, path: &str, script: &str, n: usize) -> usize {
    let mut failures = 0;
    for _ in 0..n {
        failures += usize::from(!succeeded(&function.script(path, script).await));
    }
    failures
}

/// Returns the counter of a function.
async fn stat(function: &Function, path: &str, name: &str) -> u64 {
    let answer = function.script(path, "raw select 1").await;
    let json = answer.ok().json();
    json["stats"][name].as_u64().expect("a counter")
}

#[tokio::test]
async fn a_changed_table_fails_one_invocation_and_costs_no_connection() {
    let server = <Postgres as Server>::launch().await;
    let mut column = 0;
    for form in FORMS {
        let function = Function::start_scripted(&server, "plain").await;
        for wrapper in WRAPPERS {
            let path = format!("{form}?error={wrapper}");
            function.script(&path, "select * from notes").await.ok();
            column += 1;
            change(
                &server,
                format!("alter table notes add column a{column} int"),
            )
            .await;
            let failed = failures(&function, &path, "select * from notes", 5).await;
            assert!(failed <= 1, "{path}: {failed} failures");
        }
        assert_eq!(function.proxy.connections(), 1, "{form}");
    }
}

#[tokio::test]
async fn a_changed_table_fails_at_most_two_invocations_if_the_result_hides_it() {
    let server = <Postgres as Server>::launch().await;
    let mut column = 0;
    for form in FORMS {
        let function = Function::start_scripted(&server, "plain").await;
        for hidden in ["text", "response"] {
            let path = format!("{form}?error={hidden}");
            function.script(&path, "select * from notes").await.ok();
            column += 1;
            change(
                &server,
                format!("alter table notes add column b{column} int"),
            )
            .await;
            let failed = failures(&function, &path, "select * from notes", 6).await;
            assert!(failed <= 2, "{path}: {failed} failures");
        }
    }
}

#[tokio::test]
async fn a_returning_clause_of_a_changed_table_fails_one_invocation() {
    let server = <Postgres as Server>::launch().await;
    let function = Function::start_scripted(&server, "plain").await;
    let insert = "insert into notes (text) values ('a') returning *";
    for form in FORMS {
        function.script(form, insert).await.ok();
    }
    change(&server, "alter table notes add column c int").await;
    for form in FORMS {
        let failed = failures(&function, form, insert, 4).await;
        assert!(failed <= 1, "{form}: {failed} failures");
    }
}

#[tokio::test]
async fn statements_that_the_server_forgot_fail_one_invocation() {
    let server = <Postgres as Server>::launch().await;
    for form in ["/conn", "/pool"] {
        for forget in ["raw discard all", "raw deallocate all"] {
            let function = Function::start_scripted(&server, "plain").await;
            function.script(form, "select 1").await.ok();
            function.script(form, forget).await.ok();
            let failed = failures(&function, form, "select 1", 4).await;
            assert!(failed <= 1, "{form}, {forget}: {failed} failures");
        }
    }
}

#[tokio::test]
async fn a_type_that_was_created_again_fails_one_invocation() {
    let server = <Postgres as Server>::launch().await;
    let create = "create type mood as enum ('ok')";
    change(&server, create).await;
    for form in FORMS {
        let function = Function::start_scripted(&server, "plain").await;
        let script = "select 'ok'::mood";
        function.script(form, script).await.ok();
        change(&server, "drop type mood").await;
        change(&server, create).await;
        let failed = failures(&function, form, script, 4).await;
        assert!(failed <= 1, "{form}: {failed} failures");
    }
}

#[tokio::test]
async fn a_sandbox_closes_its_statements_when_mysql_has_too_many() {
    let server = <Mysql as Server>::launch().await;
    for form in FORMS {
        let function = Function::start_scripted(&server, "plain").await;
        server
            .execute("set global max_prepared_stmt_count = 5")
            .await;
        let script = |n| format!("select {n}");
        let mut failed = 0;
        for n in 0..7 {
            failed += failures(&function, form, &script(n), 1).await;
        }
        assert_eq!(failed, 1, "{form}");
        let rows = function.rows(form, &script(8)).await;
        assert_eq!(rows, ["8"], "{form}");
        server
            .execute("set global max_prepared_stmt_count = 16382")
            .await;
    }
}

#[tokio::test]
async fn a_temporary_table_fails_one_invocation_on_mysql() {
    let server = <Mysql as Server>::launch().await;
    let script = "raw create temporary table job (id int)";
    for form in ["/conn", "/pool"] {
        let function = Function::start_scripted(&server, "plain").await;
        let mut outcomes = Vec::new();
        for _ in 0..6 {
            outcomes.push(succeeded(&function.script(form, script).await));
        }
        // The table of a success stays, so every second invocation meets it.
        assert!(
            outcomes.windows(2).all(|two| two[0] || two[1]),
            "{form}: {outcomes:?}"
        );
    }
}

on_each_server! {
    async fn a_connection_is_not_used_after_two_hidden_failures(server: &impl Server) {
        let function = Function::start_scripted(server, "plain").await;
        for form in FORMS {
            function.script(form, "raw select 1").await.ok();
            let before = function.proxy.connections();
            for _ in 0..2 {
                function.script(&format!("{form}?error=text"), "raw nonsense").await.error();
            }
            assert_eq!(function.proxy.connections(), before, "{form}");
            function.script(form, "raw select 1").await.ok();
            assert_eq!(function.proxy.connections(), before + 1, "{form}");
        }
    }

    async fn an_error_of_the_handler_costs_no_connection_each_time(server: &impl Server) {
        for form in FORMS {
            let function = Function::start_scripted(server, "plain").await;
            let path = format!("{form}?end=not-found");
            for n in 0..4 {
                // Other routes succeed in between.
                function.script(form, "select 1").await.ok();
                let before = function.proxy.counts();
                function.script(&path, "select 1").await.error();
                let sent = function.proxy.counts() - before;
                assert!(sent.round_trips <= 5, "{form}: {sent:?} in round {n}");
            }
            assert_eq!(function.proxy.connections(), 1, "{form}");
            for _ in 0..6 {
                function.script(&path, "select 1").await.error();
            }
            let opened = function.proxy.connections();
            assert!(opened <= 4, "{form}: {opened} connections for 6 errors in a row");
        }
    }
}

#[tokio::test]
async fn a_violated_constraint_costs_no_connection_on_postgres() {
    let server = <Postgres as Server>::launch().await;
    change(&server, "create table ids (id int primary key)").await;
    change(&server, "insert into ids values (1)").await;
    for form in FORMS {
        let function = Function::start_scripted(&server, "plain").await;
        for wrapper in WRAPPERS {
            let path = format!("{form}?error={wrapper}");
            let failed = failures(&function, &path, "insert into ids values (1)", 5).await;
            assert_eq!(failed, 5);
        }
        assert_eq!(function.proxy.connections(), 1, "{form}");
        assert_eq!(stat(&function, form, "discarded").await, 0, "{form}");
    }
}

#[tokio::test]
async fn a_cache_without_capacity_leaves_no_statements_at_the_server() {
    let server = <Postgres as Server>::launch().await;
    let url = format!("{}?statement-cache-capacity=0", server.url());
    let env = [
        ("DATABASE_URL", url.as_str()),
        LOGGED[0],
        LOGGED[1],
        LOGGED[2],
    ];
    let function = Function::start_program(program("field_function"), &server, &env).await;
    for form in FORMS {
        for n in 0..20 {
            function
                .script(form, &format!("select {}", n % 3))
                .await
                .ok();
        }
        let count = "raw select count(*)::text from pg_prepared_statements";
        assert_eq!(function.rows(form, count).await, ["1"], "{form}");
    }
    let events = function.events();
    let warned = events
        .iter()
        .filter(|(event, _)| event.contains("statement cache"));
    assert_eq!(warned.count(), 1, "{events:?}");
}
