//! Aurora DSQL knows a part of PostgreSQL, and nothing else is sent to it. The server is
//! PostgreSQL, whose log lists each statement.

use std::collections::BTreeSet;

use lambda_bench::aws::Service;
use lambda_bench::lambda::{Answer, Event, Sandbox};
use lambda_bench::servers::Postgres;
use reuse_db_tests::function::a_long_freeze;
use serde_json::Value;

use super::stage::{Gated as _, HOST, Place, Stage, invoke};

const FORMS: [&str; 3] = ["/conn", "/tx", "/pool"];

async fn start() -> Stage<Postgres> {
    start_with("field_function").await
}

/// Starts a server that logs each statement of a function.
async fn start_with(function: &str) -> Stage<Postgres> {
    let stage = Stage::<Postgres>::start_in(Place::of(function), Service::Dsql).await;
    stage
        .server
        .execute("alter system set log_statement = 'all'")
        .await;
    stage.server.execute("select pg_reload_conf()").await;
    stage
}

async fn function(stage: &Stage<Postgres>, user: &str) -> Sandbox {
    let url = stage.url(user, HOST);
    let url = url.replace("//@", "//");
    stage.function_at(&url).env("SOURCE", "dsql").start().await
}

async fn script(sandbox: &Sandbox, path: &str, statements: &str) -> Answer {
    let answer = sandbox.invoke(Event::post(path, statements)).await;
    sandbox.frozen().await;
    answer
}

async fn row(sandbox: &Sandbox, path: &str, statement: &str) -> String {
    let answer = script(sandbox, path, statement).await;
    let value: &Value = &answer.ok().json()["rows"][0];
    value.as_str().expect("a text").to_owned()
}

/// Returns the statements of the user `app` in the server's log, in small letters.
fn statements(log: &str) -> BTreeSet<String> {
    let lines = log.lines().filter_map(|line| {
        let (_, statement) = line.split_once("LOG:  ")?;
        let is_statement =
            statement.starts_with("statement: ") || statement.starts_with("execute ");
        let (_, statement) = statement.split_once(": ").filter(|_| is_statement)?;
        Some(statement.trim().to_ascii_lowercase())
    });
    lines.collect()
}

#[tokio::test]
async fn only_known_statements_and_parameters_are_sent() {
    let stage = start().await;
    let before = stage.server.log().len();
    let sandbox = function(&stage, "app").await;
    let parameters = "select string_agg(name, ' ' order by name) from pg_settings \
                      where source = 'client'";
    for form in FORMS {
        for _ in 0..5 {
            script(&sandbox, form, "select 'own'").await.ok();
        }
        script(&sandbox, &format!("{form}?end=404"), "select 'own'").await;
        script(&sandbox, &format!("{form}?end=fail"), "select 'own'").await;
        a_long_freeze().await;
        let sent = row(&sandbox, form, parameters).await;
        assert_eq!(
            sent, "DateStyle TimeZone application_name client_encoding",
            "{form}"
        );
    }
    let log = stage.server.log();
    let mut sent = statements(&log[before..]);
    sent.retain(|statement| !statement.contains("'own'") && !statement.contains("pg_settings"));
    let known = ["begin", "commit", "rollback", "select 1"];
    let unknown: Vec<_> = sent
        .iter()
        .filter(|statement| !known.contains(&statement.as_str()))
        .collect();
    // The administrator of the bench asks for the sessions.
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(
        sent.contains("begin") && sent.contains("commit"),
        "{sent:?}"
    );
}

/// diesel-async sets up each session itself.
#[tokio::test]
async fn other_clients_send_only_known_statements() {
    let stage = start_with("aws_function").await;
    let url = stage.url("app", HOST);
    for path in Postgres::CLIENTS {
        let before = stage.server.log().len();
        let sandbox = stage.function_at(&url).start().await;
        for _ in 0..5 {
            let reply = invoke(&sandbox, path, "dsql").await;
            assert_eq!((reply.user.as_str(), reply.opened), ("app", 1), "{path}");
        }
        a_long_freeze().await;
        invoke(&sandbox, path, "dsql").await;
        let mut sent = statements(&stage.server.log()[before..]);
        let is_asked = |statement: &String| statement.contains("pg_backend_pid");
        assert!(sent.iter().any(is_asked), "{path}: {sent:?}");
        sent.retain(|statement| !is_asked(statement));
        let of_diesel = ["set time zone 'utc'", "set client_encoding to 'utf8'"];
        let is_known = |statement: &String| {
            statement == "select 1"
                || path.contains("diesel") && of_diesel.contains(&statement.as_str())
        };
        assert!(sent.iter().all(is_known), "{path}: {sent:?}");
    }
}

#[tokio::test]
async fn a_failure_leaves_nothing_to_the_next_invocation() {
    let stage = start().await;
    let sandbox = function(&stage, "app").await;
    let path = "select current_setting('search_path')";
    for form in FORMS {
        let fresh = row(&sandbox, form, path).await;
        let failing = format!("{form}?end=fail");
        script(&sandbox, &failing, "raw set search_path = pg_catalog").await;
        assert_eq!(row(&sandbox, form, path).await, fresh, "{form}");
    }
}

#[tokio::test]
async fn a_transaction_that_a_handler_leaves_open_reaches_nobody() {
    let stage = start().await;
    let sandbox = function(&stage, "app").await;
    for _ in 0..3 {
        script(&sandbox, "/conn", "raw begin\nselect 'left'")
            .await
            .ok();
        let sessions = stage.server.sessions().await;
        assert!(
            sessions.iter().all(|session| !session.in_transaction),
            "{sessions:?}"
        );
    }
}

/// Without a user, the URL's user is `admin`, which needs another right.
#[tokio::test]
async fn the_administrator_signs_in_by_default() {
    let stage = start().await;
    stage.server.execute("create role admin login").await;
    let sandbox = function(&stage, "").await;
    let user = "select current_user::text";
    for form in FORMS {
        assert_eq!(row(&sandbox, form, user).await, "admin", "{form}");
    }
    assert!(
        stage.gate.sign_ins()[0]
            .token
            .contains("Action=DbConnectAdmin")
    );
}

/// DSQL tells a conflict at COMMIT.
#[tokio::test]
async fn a_conflict_reaches_the_caller_with_its_code() {
    let stage = start().await;
    stage
        .server
        .execute(
            "create table conflicts (id int); grant all on conflicts to app; \
             create function conflict() returns trigger language plpgsql as $$ begin \
             raise exception 'change conflicts with another transaction (OC000)' \
             using errcode = '40001'; end $$; \
             create constraint trigger conflict after insert on conflicts \
             deferrable initially deferred for each row execute function conflict()",
        )
        .await;
    let url = stage.url("app", HOST).replace("/app?", "/postgres?");
    let sandbox = stage.function_at(&url).env("SOURCE", "dsql").start().await;
    for form in ["/tx", "/lease-tx"] {
        let answer = script(&sandbox, form, "insert into conflicts values (1)").await;
        let text = format!("{answer:?}");
        assert!(text.contains("OC000"), "{form}: {text}");
    }
    // An error that the handler does not return fails the COMMIT, as on PostgreSQL.
    let answer = script(&sandbox, "/tx?error=swallow", "select 1/0").await;
    assert!(answer.error().message.contains("COMMIT failed"));
}
