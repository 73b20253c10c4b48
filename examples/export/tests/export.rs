//! The export under the Lambda emulator, on PostgreSQL.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use lambda_bench::lambda::{Answer, Event, Sandbox};
use lambda_bench::proxy::Proxy;
use lambda_bench::servers::Postgres;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

const ROWS: usize = 50_000;

/// The rows of the test. Every seventh has a comma, a quotation mark and a line break.
const FILL: &str = "insert into readings (sensor, value) \
    select case n % 7 when 0 then E'hall, \"east\"\\n2' else 'hall ' || n end, n / 2.0 from generate_series(1, 50000) n";

struct Export {
    sandbox: Sandbox,
    proxy: Proxy,
    server: Postgres,
}

impl Export {
    async fn start() -> Self {
        let server = Postgres::start().await;
        let proxy = Proxy::start(server.addr()).await;
        let sandbox = Sandbox::builder(env!("CARGO_BIN_EXE_export"))
            .env("DATABASE_URL", server.url_at(proxy.port()))
            .timeout(Duration::from_secs(20))
            .start()
            .await;
        let export = Self {
            sandbox,
            proxy,
            server,
        };
        export
            .run(&format!("{}; {FILL}", include_str!("../schema.sql")))
            .await;
        export
    }

    async fn run(&self, sql: &str) {
        let mut db = PgConnection::connect(&self.server.url())
            .await
            .expect("a connection");
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut db)
            .await
            .expect("an answer");
        db.close().await.expect("an end");
    }

    async fn get(&self, path: &str) -> Answer {
        let answer = self.sandbox.invoke(Event::get(path)).await;
        self.sandbox.frozen().await;
        answer
    }
}

#[track_caller]
fn assert_whole(answer: &Answer) {
    assert_eq!(
        answer.ok().header("content-type"),
        Some("text/csv; charset=utf-8")
    );
    let mut reader = csv::Reader::from_reader(answer.text().as_bytes());
    assert_eq!(
        reader.headers().expect("a header"),
        ["id", "sensor", "value"].as_slice()
    );
    let mut rows = 0;
    for (row, n) in reader.deserialize::<(usize, String, f64)>().zip(1..) {
        let (id, sensor, value) = row.expect("a row");
        let name = if n % 7 == 0 {
            "hall, \"east\"\n2".into()
        } else {
            format!("hall {n}")
        };
        assert_eq!((id, sensor, value), (n, name, n as f64 / 2.0));
        rows = n;
    }
    assert_eq!(rows, ROWS);
}

#[tokio::test]
async fn every_row_is_streamed_over_a_kept_connection() {
    let export = Export::start().await;
    for path in ["/pool", "/connection"] {
        for _ in 0..3 {
            let answer = export.get(path).await;
            assert_whole(&answer);
            let first_byte = answer.http().first_byte.expect("it is streamed");
            assert!(
                first_byte < answer.took,
                "{first_byte:?} of {:?}",
                answer.took
            );
        }
    }
    assert_eq!(export.proxy.connections(), 2, "one each");
    assert_eq!(export.server.sessions().await.len(), 2);
}

#[tokio::test]
async fn a_failed_row_ends_the_stream_and_not_the_sandbox() {
    let export = Export::start().await;
    for path in ["/pool", "/connection"] {
        export.run("alter table readings rename to sound").await;
        export
            .run("create view readings as select id, sensor, (1 / (id - 30000))::double precision as value from sound")
            .await;
        let answer = export.get(path).await;
        let error = answer.http().stream_error.as_ref().expect("it is torn");
        assert!(error.message.contains("division by zero"), "{error:?}");
        assert!(
            answer.text().lines().count() > 20_000,
            "what came before is there"
        );
        export
            .run("drop view readings; alter table sound rename to readings")
            .await;
        assert_whole(&export.get(path).await);
    }
    assert_eq!(export.sandbox.starts(), 1);
    assert!(export.server.sessions().await.len() <= 2);
}

#[tokio::test]
async fn a_client_that_disconnects_does_not_affect_the_next_one() {
    let export = Export::start().await;
    for path in ["/pool", "/connection"] {
        let answer = export
            .sandbox
            .invoke(Event::get(path).leaves_after(50_000))
            .await;
        assert!(answer.ok().text().len() < 1_000_000);
        export.sandbox.frozen().await;
        assert_whole(&export.get(path).await);
    }
}
