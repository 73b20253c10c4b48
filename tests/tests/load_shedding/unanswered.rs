//! A question that cannot be answered costs neither the connection nor the invocation, and is not
//! repeated.

use lambda_bench::lambda::Event;
use lambda_bench::servers::{Mysql, Postgres};
use lambda_bench::wait::until;
use reuse_db_tests::function::Function;
use reuse_db_tests::function::server::Server;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::{ABOVE, FORMS, NOTHING, SHARE, Small, run};

/// Invokes a function 20 times. It asks once.
async fn asks_once(server: &impl Server, source: &str, form: &str) {
    let function = Function::start_scripted(server, source).await;
    for n in 0..20 {
        let stats = run(&function, form, NOTHING).await;
        let asked = stats.get("load_queries");
        assert_eq!(asked, u64::from(n > 0), "{form}: {stats:?}");
        assert_eq!(stats.get("discarded"), 0, "{form}: {stats:?}");
    }
    assert_eq!(function.proxy.connections(), 1, "{form}");
}

/// Runs SQL as the administrator in the function's database.
async fn in_app(server: &Postgres, sql: &str) {
    let url = server.url().replace("//app:", "//postgres:");
    let mut admin = PgConnection::connect(&url).await.expect("a connection");
    let sql = sqlx::raw_sql(AssertSqlSafe(sql));
    sql.execute(&mut admin).await.expect("the SQL is right");
    admin.close().await.expect("an end");
}

#[tokio::test]
async fn a_missing_right_costs_nothing() {
    let server = <Postgres as Small>::small().await;
    let _others = server.fill(ABOVE).await;
    for right in [
        "execute on function pg_catalog.pg_stat_get_backend_idset()",
        "select on pg_catalog.pg_roles",
        "select on pg_catalog.pg_database",
    ] {
        in_app(&server, &format!("revoke {right} from public")).await;
        for form in FORMS {
            asks_once(&server, "brisk", form).await;
        }
        in_app(&server, &format!("grant {right} to public")).await;
    }
}

/// The load query waits for a lock until the server ends it.
#[tokio::test]
async fn a_statement_timeout_costs_nothing() {
    let server = <Postgres as Small>::small().await;
    server
        .execute("alter role app set statement_timeout = '100ms'")
        .await;
    let url = Server::url(&server).replace("//app:", "//postgres:");
    let mut admin = PgConnection::connect(&url).await.expect("a connection");
    for form in ["/conn", "/tx", "/pool", "/lease"] {
        let function = Function::start_scripted(&server, "brisk").await;
        let event = Event::post(form, format!("raw select '{form}'\nsleep 500"));
        let locks = async {
            // The function is past its connect.
            until("its statement", async || {
                let seen = format!(
                    "select count(*) from pg_stat_activity \
                     where usename = 'app' and query like '%''{form}''%' and state like 'idle%'"
                );
                let seen: i64 = sqlx::query_scalar(AssertSqlSafe(seen))
                    .fetch_one(&mut admin)
                    .await
                    .expect("a count");
                seen == 1
            })
            .await;
            let mut lock = admin.begin().await.expect("a transaction");
            sqlx::raw_sql("lock table pg_catalog.pg_database in access exclusive mode")
                .execute(&mut *lock)
                .await
                .expect("a lock");
            lock
        };
        let (answer, lock) = tokio::join!(function.sandbox.invoke(event), locks);
        answer.ok();
        function.sandbox.frozen().await;
        lock.rollback().await.expect("an end");
        let stats = run(&function, form, NOTHING).await;
        assert_eq!(stats.get("load_queries"), 1, "{form}: {stats:?}");
        for _ in 0..10 {
            let stats = run(&function, form, NOTHING).await;
            assert_eq!(stats.get("load_queries"), 1, "{form}: {stats:?}");
        }
        assert_eq!(function.proxy.connections(), 1, "{form}");
    }
}

/// Each function, operator, table and type that the load query names has a double that fails.
const MOCK: &str = "
create schema mock;
grant usage on schema mock to public;
create table mock.pg_roles (oid oid, rolconnlimit int);
create table mock.pg_database (oid oid, datconnlimit int);
create table mock.sessions (n int);
create table mock.counted (n int);
create table mock.own (n int);
grant select on all tables in schema mock to public;
create domain mock.int4 as text;
create domain mock.int8 as text;
create domain mock.float8 as text;
create domain mock.text as pg_catalog.int4;
create domain mock.oid as text;
create function mock.pg_stat_get_backend_idset() returns setof int language sql as 'select 1 / 0';
create function mock.pg_stat_get_backend_pid(int) returns int language sql as 'select 1 / 0';
create function mock.pg_stat_get_backend_userid(int) returns oid language sql
    as 'select (1 / 0)::oid';
create function mock.pg_stat_get_backend_dbid(int) returns oid language sql as 'select (1 / 0)::oid';
create function mock.pg_stat_get_backend_start(int) returns timestamptz language sql
    as 'select now() + (1 / 0) * interval ''1 s''';
create function mock.pg_backend_pid() returns int language sql as 'select 1 / 0';
create function mock.current_setting(text) returns text language sql as 'select (1 / 0)::text';
create function mock.current_setting(text, boolean) returns text language sql
    as 'select (1 / 0)::text';
create function mock.set_config(text, text, boolean) returns text language sql
    as 'select (1 / 0)::text';
create function mock.floor(float8) returns float8 language sql as 'select (1 / 0)::float8';
";

/// Returns SQL that creates operators which fail.
fn operators() -> String {
    let mut sql = String::new();
    for (left, right) in [
        ("int4", "int4"),
        ("int8", "int8"),
        ("int8", "int4"),
        ("int4", "int8"),
        ("float8", "float8"),
        ("oid", "oid"),
        ("text", "text"),
        ("name", "text"),
        ("timestamptz", "timestamptz"),
    ] {
        let function = format!("mock.fails_{left}_{right}");
        for (result, operators) in [
            ("bool", &["=", ">", "<", ">=", "<=", "<>"][..]),
            (left, &["+", "-", "*", "/"]),
        ] {
            sql.push_str(&format!(
                "create function {function}_{result}(pg_catalog.{left}, pg_catalog.{right}) \
                 returns pg_catalog.{result} language plpgsql as \
                 $$begin raise exception 'shadowed'; end$$;\n",
            ));
            for operator in operators {
                sql.push_str(&format!(
                    "create operator mock.{operator} (leftarg = pg_catalog.{left}, \
                     rightarg = pg_catalog.{right}, function = {function}_{result});\n"
                ));
            }
        }
    }
    sql
}

/// The answer is right: the idle limit follows it, and above the share the connection is closed.
#[tokio::test]
async fn a_search_path_replaces_nothing() {
    let server = <Postgres as Small>::small().await;
    in_app(&server, &format!("{MOCK}{}", operators())).await;
    server
        .execute("alter role app set search_path = mock, pg_catalog, public")
        .await;
    for form in FORMS {
        let function = Function::start_scripted(&server, "plain").await;
        run(&function, form, NOTHING).await;
        let limit = "raw show idle_session_timeout";
        let rows = function.rows(form, limit).await;
        assert_eq!(rows, ["5min"], "{form}");
        let stats = run(&function, form, NOTHING).await;
        assert_eq!(stats.get("opened"), 1, "{form}: {stats:?}");
    }
    let _others = server.fill(ABOVE).await;
    for form in FORMS {
        let function = Function::start_scripted(&server, "plain").await;
        run(&function, form, NOTHING).await;
        let stats = run(&function, form, NOTHING).await;
        assert_eq!(stats.get("shed"), 1, "{form}: {stats:?}");
    }
}

/// The server answers no rows.
#[tokio::test]
async fn an_empty_answer_of_mysql_costs_nothing() {
    let server = <Mysql as Small>::small().await;
    let _others = server.fill(SHARE).await;
    server.execute("set global sql_select_limit = 0").await;
    for form in FORMS {
        asks_once(&server, "brisk", form).await;
    }
}

/// The server counts the rows that a query would examine.
#[tokio::test]
async fn a_query_that_mysql_rejects_costs_nothing() {
    let server = <Mysql as Small>::small().await;
    let _others = server.fill(SHARE).await;
    server.execute("set global sql_big_selects = 0").await;
    server.execute("set global max_join_size = 1").await;
    for form in FORMS {
        asks_once(&server, "brisk", form).await;
    }
}
