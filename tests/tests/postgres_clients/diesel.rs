//! The state of diesel's connection, which the server does not know.

use super::{Function, of_user};

const INSERT: &str = "transaction insert into items values (1, 'one')";

impl Function {
    /// Expects that a transaction of the next invocation commits, alone.
    async fn expect_a_commit(&self, after: &str) {
        self.ok(INSERT).await;
        let mut other = of_user(&self.postgres).await;
        let found: Vec<String> = sqlx::query_scalar("select name from items")
            .fetch_all(&mut other)
            .await
            .expect("items");
        assert_eq!(found, ["one"], "{after}");
        self.ok("sql delete from items").await;
    }
}

/// diesel_async 198, 96, async-bb8-diesel 47: a transaction was cancelled, or left open.
#[tokio::test]
async fn a_transaction_that_was_left_open_reaches_nobody() {
    let function = Function::start("/diesel").await;
    let session = function.session().await;
    for left in [
        "begin",
        "begin\nbegin",
        "test-transaction",
        "sql begin",
        "begin\nsql rollback",
        "begin\nignore select 1/0",
    ] {
        let steps = format!("{left}\nsql insert into items values (2, 'left')");
        let _ = function.run_at("/diesel", &steps).await;
        function.ok("sql delete from items").await;
        function.expect_a_commit(left).await;
    }
    for polls in 1..12 {
        let left = format!("cancel {polls} insert into items values (2, 'cancelled')");
        function.ok(&left).await;
        function.ok("sql delete from items").await;
        function.expect_a_commit(&left).await;
    }
    assert_eq!(function.session().await, session);
}

/// diesel_async 280: the time zone is set once.
#[tokio::test]
async fn the_time_zone_survives_a_reset() {
    let function = Function::start("/diesel").await;
    sqlx::raw_sql("alter role app set timezone = 'Asia/Tokyo'")
        .execute(&mut of_user(&function.postgres).await)
        .await
        .expect("a setting");
    function.proxy.reset().await;
    let zone = "query select current_setting('timezone')";
    for _ in 0..2 {
        assert_eq!(function.ok(zone).await, "UTC");
        function.fails("fail").await;
    }
}

/// deadpool 57: the statements of a client are gone at the server.
#[tokio::test]
async fn statements_that_a_handler_deallocated_fail_once() {
    let function = Function::start("/diesel").await;
    let session = function.session().await;
    function.ok("load").await;
    function.ok("sql deallocate all").await;
    function.fails("load").await;
    assert_eq!(function.ok("load").await, "0");
    assert_eq!(function.session().await, session);
}

/// diesel's error keeps the 503.
#[tokio::test]
async fn a_handler_may_return_the_error_of_diesel() {
    let function = Function::start("/diesel").await;
    let typed = "/diesel?how=typed";
    function.run_at(typed, "").await.ok();
    function.postgres.stop().await;
    let answer = function.run_at(typed, "").await;
    assert_eq!(answer.status(), 503, "{answer:?}");
}
