//! SQLite runs a statement in a thread of the process. It ends with its invocation, too.

use std::time::Duration;

use lambda_bench::lambda::{Answer, Event, Sandbox};
use reuse_db_tests::function::program;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};
use tempfile::TempDir;

const TIME_OUT: Duration = Duration::from_secs(1);

const ENDLESS: &str = "with recursive n (i) as (select 1 union all select i + 1 from n) \
    select count(*) from n";

/// A function with a database file that another process uses as well.
struct File {
    sandbox: Sandbox,
    other: SqliteConnection,
    _folder: TempDir,
}

impl File {
    async fn with_function(time_out: Duration) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("app.db");
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .busy_timeout(Duration::from_millis(300));
        let mut other = options.connect().await.expect("a connection");
        execute(&mut other, "create table notes (text)").await;
        let sandbox = Sandbox::builder(program("field_function"))
            .env("DATABASE_URL", format!("sqlite://{}", path.display()))
            .timeout(time_out)
            .start()
            .await;
        Self {
            sandbox,
            other,
            _folder: folder,
        }
    }

    async fn script(&self, form: &str, script: &str) -> Answer {
        let answer = self.sandbox.invoke(Event::post(form, script)).await;
        self.sandbox.frozen().await;
        answer
    }

    async fn notes(&mut self) -> i64 {
        let count = sqlx::query_scalar("select count(*) from notes");
        count.fetch_one(&mut self.other).await.expect("a count")
    }
}

async fn execute(other: &mut SqliteConnection, sql: &'static str) {
    let done = sqlx::raw_sql(sql).execute(other).await;
    done.expect("the other process has the database");
}

#[tokio::test]
async fn a_computation_is_ended_and_its_lock_is_free() {
    let mut file = File::with_function(TIME_OUT).await;
    for form in ["/tx", "/lease-tx", "/conn"] {
        let begin = if form == "/conn" { "raw begin\n" } else { "" };
        let script = format!("{begin}insert into notes values ('a')\nraw {ENDLESS}");
        let answer = file.script(form, &script).await;
        assert_eq!(answer.status(), 504, "{form}: {answer:?}");
        // The sandbox is frozen.
        execute(&mut file.other, "insert into notes values ('b')").await;
        file.script(form, "raw select 1").await.ok();
    }
    assert_eq!(file.notes().await, 3);
    assert_eq!(file.sandbox.starts(), 1);
}

#[tokio::test]
async fn a_statement_that_waits_for_a_lock_writes_nothing_later() {
    let mut file = File::with_function(TIME_OUT * 2).await;
    for form in ["/conn", "/tx", "/lease"] {
        execute(&mut file.other, "begin immediate").await;
        let script = "sleep 1000\ninsert into notes values ('late')";
        let answer = file.script(form, script).await;
        assert_eq!(answer.status(), 504, "{form}: {answer:?}");
        execute(&mut file.other, "rollback").await;
        file.script(form, "raw select 1\nsleep 800").await.ok();
        assert_eq!(file.notes().await, 0, "{form}");
    }
}
