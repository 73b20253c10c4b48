//! The worker under the Lambda emulator, on PostgreSQL.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use lambda_bench::lambda::{Answer, Event, Sandbox};
use lambda_bench::proxy::Proxy;
use lambda_bench::servers::Postgres;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

struct Worker {
    sandbox: Sandbox,
    proxy: Proxy,
    server: Postgres,
}

impl Worker {
    async fn start() -> Self {
        let server = Postgres::start().await;
        let mut db = PgConnection::connect(&server.url())
            .await
            .expect("a connection");
        let schema = concat!(
            include_str!("../schema.sql"),
            "insert into stock values ('milk', 100)"
        );
        sqlx::raw_sql(schema)
            .execute(&mut db)
            .await
            .expect("tables");
        db.close().await.expect("an end");
        let proxy = Proxy::start(server.addr()).await;
        let sandbox = Sandbox::builder(env!("CARGO_BIN_EXE_sqs-worker"))
            .env("DATABASE_URL", server.url_at(proxy.port()))
            .timeout(Duration::from_secs(10))
            .start()
            .await;
        Self {
            sandbox,
            proxy,
            server,
        }
    }

    /// Delivers messages with these ids and bodies, and waits for the freeze that follows.
    async fn deliver(&self, messages: &[(&str, &str)]) -> Answer {
        let records: Vec<Value> = messages
            .iter()
            .map(|(id, body)| json!({ "messageId": id, "body": body, "eventSource": "aws:sqs" }))
            .collect();
        let answer = self
            .sandbox
            .invoke(Event::json(json!({ "Records": records })))
            .await;
        self.sandbox.frozen().await;
        answer
    }

    /// Returns the number of orders, and the rest of the stock.
    async fn state(&self) -> (i64, i32) {
        let mut db = PgConnection::connect(&self.server.url())
            .await
            .expect("a connection");
        let state = sqlx::query_as("select (select count(*) from orders), amount from stock");
        let state = state.fetch_one(&mut db).await.expect("figures");
        db.close().await.expect("an end");
        state
    }
}

/// Returns the ids of the messages to deliver again.
fn failures(answer: &Answer) -> Vec<String> {
    let json = answer.json();
    let items = json["batchItemFailures"]
        .as_array()
        .cloned()
        .expect("a list");
    let id = |item: &Value| item["itemIdentifier"].as_str().map(str::to_owned);
    items.iter().filter_map(id).collect()
}

const GOOD: &str = r#"{ "item": "milk", "amount": 2 }"#;

#[tokio::test]
async fn only_failed_messages_are_delivered_again() {
    let worker = Worker::start().await;
    let batch = [
        ("a", GOOD),
        ("b", "no order"),
        ("c", GOOD),
        ("d", r#"{ "item": "gold", "amount": 1 }"#),
        ("e", GOOD),
    ];
    assert_eq!(failures(&worker.deliver(&batch).await), ["b", "d"]);
    assert_eq!(worker.state().await, (3, 94));
    // SQS may deliver a message twice.
    assert_eq!(failures(&worker.deliver(&batch).await), ["b", "d"]);
    assert_eq!(worker.state().await, (3, 94));
    for id in ["f", "g", "h"] {
        assert!(failures(&worker.deliver(&[(id, GOOD)]).await).is_empty());
    }
    assert_eq!(worker.state().await, (6, 88));
    assert_eq!(worker.proxy.connections(), 1);
}

#[tokio::test]
async fn a_partial_order_is_rolled_back() {
    let worker = Worker::start().await;
    let too_much = r#"{ "item": "milk", "amount": 101 }"#;
    assert_eq!(
        failures(
            &worker
                .deliver(&[("a", GOOD), ("b", too_much), ("c", GOOD)])
                .await
        ),
        ["b"]
    );
    assert_eq!(worker.state().await, (2, 96));
}

/// A 503 would be a success for a queue.
#[tokio::test]
async fn without_the_database_the_whole_batch_is_delivered_again() {
    let worker = Worker::start().await;
    worker.deliver(&[("a", GOOD)]).await;
    worker.server.stop().await;
    // A freeze of longer than `verify_after`: the connection is checked before it is used.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let answer = worker.deliver(&[("b", GOOD)]).await;
    assert!(answer.error().message.contains("unavailable"), "{answer:?}");
    worker.server.start_again().await;
    assert!(failures(&worker.deliver(&[("b", GOOD)]).await).is_empty());
    assert_eq!(worker.state().await, (2, 96));
    assert_eq!(worker.sandbox.starts(), 1);
}
