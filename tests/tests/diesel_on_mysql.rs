//! The connection of diesel-async on MySQL and MariaDB: reports of the field.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, with a message"
)]

use std::time::Duration;

use lambda_bench::lambda::{Answer, Event, Sandbox};
use lambda_bench::proxy::Proxy;
use lambda_bench::servers::{Mysql, PASSWORD};
use lambda_bench::wait::until;
use reuse_db_tests::function::{LONG, program};
use sqlx::{Connection as _, MySqlConnection};

const SHORT: Duration = Duration::from_millis(50);
const INSERT: &str = "transaction insert into items values (1, 'one')";

/// A function in a sandbox, behind a proxy to its server.
struct Function {
    mysql: Mysql,
    proxy: Proxy,
    sandbox: Sandbox,
}

impl Function {
    async fn start() -> Self {
        let mysql = Mysql::start().await;
        sqlx::raw_sql("create table items (id int not null, name text not null)")
            .execute(&mut of_user(&mysql).await)
            .await
            .expect("a table");
        let proxy = Proxy::start(mysql.addr()).await;
        let sandbox = sandbox(&mysql.url_at(proxy.port())).await;
        Self {
            mysql,
            proxy,
            sandbox,
        }
    }

    async fn run(&self, steps: &str) -> Answer {
        run(&self.sandbox, "/diesel-mysql", steps).await
    }

    /// Runs steps that succeed, and returns their answers.
    async fn ok(&self, steps: &str) -> String {
        self.run(steps).await.ok().text().to_owned()
    }

    /// Runs steps, of which one fails.
    async fn fails(&self, steps: &str) {
        self.run(steps).await.error();
    }

    async fn expect_own_answers(&self) {
        for _ in 0..2 {
            let own = "query select 'first'\nquery select 'second'\nload";
            assert_eq!(self.ok(own).await, "first,second,0");
        }
    }

    async fn session(&self) -> String {
        self.ok("query select connection_id()").await
    }
}

async fn run(sandbox: &Sandbox, path: &str, steps: &str) -> Answer {
    let answer = sandbox.invoke(Event::post(path, steps)).await;
    sandbox.frozen().await;
    answer
}

async fn of_user(mysql: &Mysql) -> MySqlConnection {
    MySqlConnection::connect(&mysql.url())
        .await
        .expect("a session")
}

async fn sandbox(url: &str) -> Sandbox {
    Sandbox::builder(program("clients_function"))
        .env("DATABASE_URL", url)
        .env("RUST_LOG", "reuse_db=debug")
        .timeout(Duration::from_secs(10))
        .start()
        .await
}

/// mysql_async 401, risingwave 22128: the statement after one that was cut off gets its answer.
#[tokio::test]
async fn answers_are_never_shifted() {
    let function = Function::start().await;
    for n in 0..10 {
        function.ok("abandon select sleep(0.2)").await;
        let own = format!("query select 'nonce {n}'\nload");
        assert_eq!(function.ok(&own).await, format!("nonce {n},0"));
    }
}

#[tokio::test]
async fn an_abandoned_statement_ends() {
    let function = Function::start().await;
    for _ in 0..2 {
        function.ok("abandon select sleep(60)").await;
        function.expect_own_answers().await;
    }
    until("the end of the statements", async || {
        function.mysql.sessions().await.len() == 1
    })
    .await;
}

/// A statement whose rows nobody reads keeps its tables from being changed.
#[tokio::test]
async fn rows_that_a_handler_drops_are_read_after_its_response() {
    let function = Function::start().await;
    // More than the buffers of the sockets hold.
    let long = "select repeat('x', 20000) as first from information_schema.columns limit 1000";
    for rows in ["select 'one' as first union all select 'two'", long] {
        for _ in 0..2 {
            let first = function.ok(&format!("half-rows {rows}\npause")).await;
            assert!(first.starts_with("one") || first.starts_with('x'));
            until("the end of the statement", async || {
                let all = function.mysql.sessions().await;
                all.iter().all(|session| session.state == "Sleep")
            })
            .await;
        }
        function.expect_own_answers().await;
    }
}

/// diesel_async 198, 96: a transaction was cancelled, or left open.
#[tokio::test]
async fn a_transaction_that_was_left_open_reaches_nobody() {
    let function = Function::start().await;
    let expect_a_commit = async |after: &str| {
        function.ok(INSERT).await;
        let found: Vec<String> = sqlx::query_scalar("select name from items")
            .fetch_all(&mut of_user(&function.mysql).await)
            .await
            .expect("items");
        assert_eq!(found, ["one"], "{after}");
        function.ok("sql delete from items").await;
    };
    for left in [
        "begin",
        "begin\nbegin",
        "test-transaction",
        "begin\nsql rollback",
        "sql start transaction",
        "sql Begin",
    ] {
        let steps = format!("{left}\nsql insert into items values (2, 'left')");
        let _ = function.run(&steps).await;
        function.ok("sql delete from items").await;
        expect_a_commit(left).await;
    }
    for polls in 1..10 {
        let left = format!("cancel {polls} insert into items values (2, 'cancelled')");
        function.ok(&left).await;
        function.ok("sql delete from items").await;
        expect_a_commit(&left).await;
    }
}

/// mysql_async 240: what SQL cannot reset stays.
#[tokio::test]
async fn a_failure_leaves_nothing_of_the_session() {
    let function = Function::start().await;
    let zone = function.ok("query select @@time_zone").await;
    for (change, state, clean) in [
        ("set @changed = 1", "coalesce(@changed, 0)", "0"),
        ("set session sql_mode = ''", "@@sql_mode = ''", "0"),
        ("set autocommit = 0", "@@autocommit = 1", "1"),
        ("set time_zone = '+05:00'", "@@time_zone", &zone),
        (
            "create temporary table items (id int, name text)",
            "(select count(*) from items)",
            "0",
        ),
        (
            "select get_lock('mine', 0)",
            "is_used_lock('mine') is null",
            "1",
        ),
        (
            "begin; insert into items values (1, 'begun')",
            "(select count(*) from items)",
            "0",
        ),
    ] {
        function.fails(&format!("sql {change}\nfail")).await;
        assert_eq!(
            function.ok(&format!("query select {state}")).await,
            clean,
            "{change}"
        );
        function.expect_own_answers().await;
    }
}

/// diesel_async 269, mysql_async 210: statements leak.
#[tokio::test]
async fn a_rejected_statement_costs_no_connection_and_leaks_none() {
    let function = Function::start().await;
    let session = function.session().await;
    for _ in 0..5 {
        function.fails("sql select nothing from items").await;
        function.ok("ignore select nothing from items").await;
    }
    assert_eq!(function.session().await, session);
    for n in 0..40 {
        function.ok(&format!("query select {n}")).await;
    }
    let prepared: i64 = sqlx::query_scalar(
        "select cast(variable_value as signed) from information_schema.global_status \
         where variable_name = 'Prepared_stmt_count'",
    )
    .fetch_one(&mut of_user(&function.mysql).await)
    .await
    .expect("a number");
    assert!(prepared < 10, "{prepared}");
}

/// mysql_async 105: the session ended while frozen.
#[tokio::test]
async fn a_session_that_ended_while_frozen_fails_nobody() {
    let function = Function::start().await;
    function.expect_own_answers().await;
    for pause in [SHORT, LONG] {
        assert_eq!(function.mysql.end_sessions().await, 1);
        tokio::time::sleep(pause).await;
        function.expect_own_answers().await;
    }
    function.proxy.reset().await;
    function.expect_own_answers().await;
}

/// rust-mysql-simple 266: LOAD DATA LOCAL needs a handler, and ends the stream.
#[tokio::test]
async fn a_local_file_is_not_sent() {
    let function = Function::start().await;
    function
        .ok("ignore load data local infile '/etc/hostname' into table items")
        .await;
    function.expect_own_answers().await;
}

#[tokio::test]
async fn errors_of_connecting_name_their_cause() {
    let mysql = Mysql::start().await;
    let url = mysql.url();
    for (url, wanted) in [
        (
            url.replace(&format!(":{PASSWORD}@"), ":wrong@"),
            "Access denied",
        ),
        (format!("{url}_none"), "_none"),
        (format!("{url}?nothing=1"), "parameter `nothing'"),
        (format!("{url}?ssl-mode=PREFERRED"), "is none of DISABLED"),
    ] {
        let sandbox = sandbox(&url).await;
        let answer = run(&sandbox, "/diesel-mysql", "query select 1").await;
        let text = format!("{answer:?}");
        assert!(
            text.contains(wanted) && !text.contains(PASSWORD),
            "{url}: {text}"
        );
    }
}

/// diesel_async 54, mysql_async 225: TLS, with the names of MySQL.
#[tokio::test]
async fn a_verified_server_is_encrypted_and_others_are_refused() {
    let mysql = Mysql::builder().tls().start().await;
    let other = Mysql::builder().tls().start().await;
    let (url, own, other) = (mysql.url(), mysql.authority(), other.authority());
    let (own, other) = (own.display(), other.display());
    let is_encrypted = "query select variable_value <> '' from information_schema.session_status \
        where variable_name = 'Ssl_cipher'";
    for (url, wanted) in [
        (
            format!("{url}?ssl-mode=VERIFY_IDENTITY&ssl-ca={own}"),
            Some("1"),
        ),
        (format!("{url}?ssl-mode=DISABLED"), Some("0")),
        (format!("{url}?ssl-mode=REQUIRED&ssl-ca={other}"), None),
        (format!("{url}?ssl-mode=REQUIRED"), None),
    ] {
        let sandbox = sandbox(&url).await;
        let answer = run(&sandbox, "/diesel-mysql", is_encrypted).await;
        match wanted {
            Some(wanted) => assert_eq!(answer.ok().text(), wanted, "{url}"),
            None => {
                let text = format!("{:?}", answer.error());
                assert!(text.contains("certificate"), "{url}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_accepts_no_writes_is_left() {
    let function = Function::start().await;
    let path = "/diesel-mysql?how=read-write";
    run(&function.sandbox, path, "query select 1").await.ok();
    function.mysql.execute("set global read_only = 1").await;
    tokio::time::sleep(LONG).await;
    let answer = run(&function.sandbox, path, "query select 1").await;
    assert_eq!(answer.status(), 503, "{answer:?}");
    assert!(function.sandbox.output().contains("read-only"));
    function.mysql.execute("set global read_only = 0").await;
    run(&function.sandbox, path, "query select 1").await.ok();
}
