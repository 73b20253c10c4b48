//! The API under the Lambda emulator, on PostgreSQL.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use lambda_bench::lambda::{Answer, Event, Sandbox};
use lambda_bench::proxy::Proxy;
use lambda_bench::servers::Postgres;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

struct Api {
    sandbox: Sandbox,
    proxy: Proxy,
    server: Postgres,
}

impl Api {
    async fn start() -> Self {
        let server = Postgres::start().await;
        let mut db = PgConnection::connect(&server.url())
            .await
            .expect("a connection");
        let schema = sqlx::raw_sql(include_str!("../schema.sql"));
        schema.execute(&mut db).await.expect("a table");
        db.close().await.expect("an end");
        let proxy = Proxy::start(server.addr()).await;
        let sandbox = Sandbox::builder(env!("CARGO_BIN_EXE_axum-api"))
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

    /// Invokes it and waits for the freeze that follows.
    async fn send(&self, method: &str, path: &str, body: Value) -> Answer {
        let event = Event::request(method, path)
            .header("content-type", "application/json")
            .body(body.to_string());
        let answer = self.sandbox.invoke(event).await;
        self.sandbox.frozen().await;
        answer
    }

    async fn notes(&self) -> Vec<Value> {
        let answer = self.send("GET", "/notes", Value::Null).await;
        answer.ok().json().as_array().cloned().expect("a list")
    }
}

#[tokio::test]
async fn all_handlers_share_one_connection() {
    let api = Api::start().await;
    let added = api
        .send("POST", "/notes", json!({ "text": "buy milk" }))
        .await;
    assert_eq!(added.status(), 201, "{added:?}");
    let note = added.json();
    let path = format!("/notes/{}", note["id"]);
    assert_eq!(api.send("GET", &path, Value::Null).await.ok().json(), note);
    let copied = api
        .send("POST", &format!("{path}/copies"), json!({ "count": 3 }))
        .await;
    assert_eq!(copied.status(), 201, "{copied:?}");
    assert_eq!(api.notes().await.len(), 4);
    assert_eq!(api.send("DELETE", &path, Value::Null).await.status(), 204);
    assert_eq!(api.notes().await.len(), 3);
    assert_eq!(api.proxy.connections(), 1);
    assert_eq!(api.server.sessions().await.len(), 1);
}

#[tokio::test]
async fn invalid_requests_get_an_error_and_change_nothing() {
    let api = Api::start().await;
    let note = api
        .send("POST", "/notes", json!({ "text": "buy milk" }))
        .await
        .json();
    let copies = format!("/notes/{}/copies", note["id"]);
    for (method, path, body, status) in [
        ("POST", "/notes", json!({ "text": "" }), 422),
        ("POST", "/notes", json!({ "txt": "buy milk" }), 422),
        ("GET", "/notes/99", Value::Null, 404),
        ("DELETE", "/notes/99", Value::Null, 404),
        ("POST", "/notes/99/copies", json!({ "count": 1 }), 404),
        // Ten have been made by then, and are rolled back.
        ("POST", copies.as_str(), json!({ "count": 11 }), 422),
        ("POST", copies.as_str(), json!({ "count": 0 }), 422),
        ("PUT", "/notes", Value::Null, 405),
    ] {
        let answer = api.send(method, path, body).await;
        assert_eq!(answer.status(), status, "{answer:?}");
        assert_eq!(api.notes().await.len(), 1, "{answer:?}");
    }
    assert_eq!(api.proxy.connections(), 1);
}

#[tokio::test]
async fn without_the_database_the_response_is_a_503() {
    let api = Api::start().await;
    api.notes().await;
    api.server.stop().await;
    // A freeze of longer than `verify_after`: the connection is checked before it is used.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    for _ in 0..2 {
        let answer = api.send("GET", "/notes", Value::Null).await;
        assert_eq!(
            (answer.status(), answer.header("retry-after")),
            (503, Some("1")),
            "{answer:?}"
        );
        assert!(!answer.text().contains("refused"), "{answer:?}");
    }
    api.server.start_again().await;
    assert!(api.notes().await.is_empty());
}
