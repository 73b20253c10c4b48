//! Reports on kept connections of other drivers, poolers and proxies.

use std::time::Duration;

use lambda_bench::lambda::{Answer, Event, Outcome, Sandbox};
use lambda_bench::servers::{Mysql, Postgres};
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, a_long_freeze, program};
use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, PgConnection, SqliteConnection};
use tempfile::TempDir;

const FORMS: [&str; 3] = ["/conn", "/tx", "/pool"];

/// A function without a server of the bench.
struct Alone {
    sandbox: Sandbox,
}

impl Alone {
    async fn start(url: &str) -> Self {
        let builder = Sandbox::builder(program("field_function").as_path());
        let builder = builder.env("DATABASE_URL", url);
        let sandbox = builder.timeout(Duration::from_secs(10)).start().await;
        Self { sandbox }
    }

    async fn script(&self, path: &str, statements: &str) -> Answer {
        let answer = self.sandbox.invoke(Event::post(path, statements)).await;
        self.sandbox.frozen().await;
        answer
    }
}

/// A database file of SQLite with the table `t`.
struct File {
    _folder: TempDir,
    url: String,
}

impl File {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}/app.db?mode=rwc", folder.path().display());
        let file = Self {
            _folder: folder,
            url,
        };
        let mut connection = file.connect().await;
        let table = sqlx::raw_sql("create table t (v int primary key)");
        table.execute(&mut connection).await.expect("a table");
        file
    }

    async fn connect(&self) -> SqliteConnection {
        let connection = SqliteConnection::connect(&self.url).await;
        connection.expect("a connection")
    }

    async fn values(&self) -> Vec<i64> {
        let values = sqlx::query_scalar("select v from t order by v");
        let values = values.fetch_all(&mut self.connect().await).await;
        values.expect("values")
    }
}

/// Runs SQL in another session of the function's user.
async fn change(server: &Postgres, sql: &str) {
    let mut app = PgConnection::connect(&server.url())
        .await
        .expect("a connection");
    let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    sql.execute(&mut app).await.expect("a change");
    app.close().await.expect("an end");
}

fn succeeded(answer: &Answer) -> bool {
    matches!(&answer.outcome, Outcome::Http(http) if http.status == 200)
}

/// Runs a script until it succeeds, and returns the number of failures.
async fn failures(function: &Function, path: &str, script: &str) -> usize {
    let mut failures = 0;
    while failures < 5 && !succeeded(&function.script(path, script).await) {
        failures += 1;
    }
    failures
}

#[tokio::test]
async fn table_locks_of_mysql_are_released_after_the_first_successes() {
    let server = <Mysql as Server>::launch().await;
    for form in ["/conn", "/pool"] {
        let function = Function::start_scripted(&server, "plain").await;
        function
            .script(form, "raw lock tables notes read")
            .await
            .ok();
        let write = server.execute("insert into app.notes values ('a note')");
        let write = tokio::time::timeout(Duration::from_secs(5), write).await;
        assert!(write.is_ok(), "{form}: the table is locked");
        assert_eq!(function.proxy.connections(), 1, "{form}");
    }
}

/// Otherwise the writes of later invocations would be rolled back.
#[tokio::test]
async fn a_session_without_autocommit_serves_no_later_invocation_on_mysql() {
    let server = <Mysql as Server>::launch().await;
    let notes = "select count(*) from notes";
    for (form, written) in [("/conn", 1), ("/pool", 2)] {
        let function = Function::start_scripted(&server, "plain").await;
        // The table's lock ends by a rollback, not by UNLOCK TABLES, which would commit.
        let script = "raw set autocommit = 0; lock tables notes write; \
            insert into notes values ('left open')";
        function.script(form, script).await.ok();
        let note = "insert into notes values ('a note')";
        function.script(form, note).await.ok();
        assert_eq!(server.number(notes).await, written, "{form}");
    }
}

#[tokio::test]
async fn a_transaction_of_mysql_inherits_nothing_from_the_handler_before() {
    let server = <Mysql as Server>::launch().await;
    let function = Function::start_scripted(&server, "plain").await;
    // No later success is inspected at once.
    for _ in 0..3 {
        function.script("/conn", "select 1").await.ok();
    }
    let note = "insert into notes values ('a note')";
    let read_only = "raw set transaction read only";
    function.script("/conn", read_only).await.ok();
    function.script("/tx", note).await.ok();
    let begun = "raw select 1; begin; insert into notes values ('left open')";
    function.script("/conn", begun).await.ok();
    function.script("/tx", note).await.ok();
    let notes = "select count(*) from notes";
    assert_eq!(server.number(notes).await, 2, "without the one left open");
    assert_eq!(function.proxy.connections(), 1);
}

#[tokio::test]
async fn columns_that_changed_are_read_anew_on_mysql() {
    let server = <Mysql as Server>::launch().await;
    let mut app = MySqlConnection::connect(&server.url())
        .await
        .expect("a connection");
    for form in FORMS {
        let function = Function::start_scripted(&server, "plain").await;
        let table = "drop table if exists things; create table things (id int, c int); \
            insert into things values (7, 1)";
        sqlx::raw_sql(table)
            .execute(&mut app)
            .await
            .expect("a table");
        let script = "int 7 select * from things where id = ?";
        assert_eq!(function.rows(form, script).await, ["7"], "{form}");
        let alter = "alter table things add b varchar(9) default 'b' first, drop c";
        sqlx::raw_sql(alter)
            .execute(&mut app)
            .await
            .expect("a change");
        assert_eq!(function.rows(form, script).await, ["b"], "{form}");
    }
}

/// sqlx prepares a text once, with the type of its first value.
#[tokio::test]
async fn another_type_of_value_fails_at_most_one_invocation() {
    let server = <Postgres as Server>::launch().await;
    for form in FORMS {
        let function = Function::start_scripted(&server, "plain").await;
        for script in ["int 7 select $1::text", "text hello select $1::text"] {
            assert!(
                failures(&function, form, script).await <= 1,
                "{form} {script}"
            );
        }
        // The bytes of the text are those of a number.
        change(
            &server,
            "drop table if exists ids; create table ids (id int)",
        )
        .await;
        let script = "select 'x' from ids where id = $1";
        let function = Function::start_scripted(&server, "plain").await;
        function.script(form, &format!("int 7 {script}")).await.ok();
        change(&server, "alter table ids alter id type text").await;
        let as_text = format!("text 7777 {script}");
        assert!(failures(&function, form, &as_text).await <= 1, "{form}");
        change(&server, "alter table ids alter id type int using id::int").await;
        let as_number = format!("int 7 {script}");
        assert!(failures(&function, form, &as_number).await <= 1, "{form}");
    }
}

#[tokio::test]
async fn a_session_that_its_handler_has_reset_fails_at_most_one_invocation() {
    let server = <Postgres as Server>::launch().await;
    change(
        &server,
        "create schema app2; create table app2.things (v int)",
    )
    .await;
    for form in ["/conn", "/pool"] {
        for reset in ["reset all", "discard all"] {
            let function = Function::start_scripted(&server, "app_path").await;
            function.script(form, reset).await.ok();
            let things = "raw select count(*) from things";
            assert!(
                failures(&function, form, things).await <= 1,
                "{form} {reset}"
            );
        }
        server.execute("create role r").await;
        server.execute("grant r to app").await;
        let function = Function::start_scripted(&server, "plain").await;
        function.script(form, "set role r").await.ok();
        server.execute("drop role r").await;
        assert!(failures(&function, form, "select current_user::text").await <= 1);
    }
}

#[tokio::test]
async fn a_copy_and_a_two_phase_commit_fail_their_own_invocation_only() {
    let server = Postgres::builder()
        .setting("max_prepared_transactions", "1")
        .start()
        .await;
    change(&server, "create table t (v int)").await;
    for form in ["/conn", "/pool"] {
        let function = Function::start_scripted(&server, "plain").await;
        let path = format!("{form}?error=swallow");
        function.script(&path, "raw copy t from stdin").await.ok();
        assert_eq!(function.rows(form, "select 'a'").await, ["a"]);
    }
    let function = Function::start_scripted(&server, "plain").await;
    let prepare = "insert into t values (1)\nraw prepare transaction 'x'";
    let answer = function.script("/tx", prepare).await;
    let message = &answer.error().message;
    assert!(message.contains("ended the transaction"), "{message}");
    assert_eq!(function.rows("/tx", "select 'a'").await, ["a"]);
}

#[tokio::test]
async fn a_database_that_accepts_no_connections_is_a_503() {
    let server = <Postgres as Server>::launch().await;
    let start = async |form| {
        let function = Function::start_scripted(&server, "brief").await;
        function.script(form, "select 'a'").await.ok();
        (form, function)
    };
    let functions = [
        start("/conn").await,
        start("/tx").await,
        start("/pool").await,
    ];
    let allow = "alter database app with allow_connections";
    server.execute(&format!("{allow} false")).await;
    server.end_sessions().await;
    a_long_freeze().await;
    let [conn, tx, pool] = functions
        .each_ref()
        .map(|(form, function)| function.script(form, "select 'b'"));
    let answers = tokio::join!(conn, tx, pool);
    for answer in [answers.0, answers.1, answers.2] {
        assert_eq!(answer.status(), 503, "{answer:?}");
    }
    server.execute(&format!("{allow} true")).await;
    for (form, function) in &functions {
        assert_eq!(function.rows(form, "select 'b'").await, ["b"], "{form}");
    }
}

#[tokio::test]
async fn a_list_of_hosts_is_refused_at_once() {
    for url in [
        "postgres://app:s3cret@h1,h2/app?target_session_attrs=read-write",
        "postgres://app:s3cret@h1:5432,h2:5432/app",
        "mysql://app:s3cret@h1,h2/app",
    ] {
        let function = Alone::start(url).await;
        for form in FORMS {
            let answer = function.script(form, "select 1").await;
            let message = &answer.error().message;
            assert!(message.contains("names several hosts"), "{message}");
            assert!(!message.contains("s3cret"), "{message}");
            assert!(answer.took < Duration::from_secs(1), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_commit_of_sqlite_that_fails_leaves_no_transaction_open() {
    let file = File::new().await;
    let function = Alone::start(&file.url).await;
    let timeout = "raw pragma busy_timeout = 100";
    function.script("/tx", timeout).await.ok();
    let mut reader = file.connect().await;
    let read = sqlx::raw_sql("begin; select count(*) from t").fetch_all(&mut reader);
    read.await.expect("a transaction");
    let answer = function.script("/tx", "insert into t values (1)").await;
    let message = &answer.error().message;
    assert!(message.contains("database is locked"), "{message}");
    reader.close().await.expect("an end");
    function
        .script("/conn", "insert into t values (2)")
        .await
        .ok();
    assert_eq!(file.values().await, [2]);
}

#[tokio::test]
async fn a_transaction_of_sqlite_that_ended_before_commit_fails() {
    let file = File::new().await;
    let function = Alone::start(&file.url).await;
    for script in [
        "insert into t values (1)\ninsert or rollback into t values (1)",
        "raw commit",
        "raw rollback",
    ] {
        let answer = function.script("/tx?error=swallow", script).await;
        let message = &answer.error().message;
        assert!(message.contains("ended the transaction"), "{message}");
    }
    function
        .script("/tx", "insert into t values (3)")
        .await
        .ok();
    assert_eq!(file.values().await, [3]);
}

/// The pool has one connection, which the handler holds.
#[tokio::test]
async fn a_query_beside_a_transaction_of_a_full_pool_is_a_503() {
    let server = <Postgres as Server>::launch().await;
    let function = Function::start_scripted(&server, "narrow").await;
    let answer = function.script("/pool-begun", "select 'a'").await;
    assert_eq!(answer.status(), 503, "{answer:?}");
    assert_eq!(function.rows("/pool", "select 'b'").await, ["b"]);
}
