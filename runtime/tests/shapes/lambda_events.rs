//! Handlers of `lambda_runtime`, with events of any type.

use lambda_http::lambda_runtime::{Context, Error, LambdaEvent, Runtime, service_fn};
use lambda_http::tower::ServiceExt as _;
use reuse_db::reuse_db;
use serde_json::{Value, json};
use sqlx::{Sqlite, SqliteConnection, Transaction};

use crate::{MEMORY, counts, one_connection};

fn event<T>(payload: T) -> LambdaEvent<T> {
    LambdaEvent::new(payload, Context::default())
}

#[reuse_db(source = MEMORY)]
async fn add(event: LambdaEvent<Value>, db: &mut SqliteConnection) -> Result<Value, Error> {
    let (payload, context) = event.into_parts();
    let sum: i64 = sqlx::query_scalar("select ? + ?")
        .bind(payload["a"].as_i64())
        .bind(payload["b"].as_i64())
        .fetch_one(db)
        .await?;
    Ok(json!({ "sum": sum, "request": context.request_id }))
}

#[tokio::test]
async fn a_handler_takes_a_json_event() {
    for n in 0..3 {
        let sum = service_fn(add)
            .oneshot(event(json!({ "a": n, "b": 1 })))
            .await;
        assert_eq!(sum.expect("a sum"), json!({ "sum": n + 1, "request": "" }));
    }
    assert_eq!(counts(ADD_DB.stats()), one_connection(3));
    // A deployed function runs like this. There is no Runtime API here.
    let _ = || Runtime::new(service_fn(add)).run();
}

struct Batch(Vec<&'static str>);

/// Writes all notes, or none if one is wrong.
#[reuse_db(source = MEMORY)]
async fn write(
    LambdaEvent {
        payload: Batch(texts),
        ..
    }: LambdaEvent<Batch>,
    tx: &mut Transaction<'_, Sqlite>,
) -> anyhow::Result<i64> {
    for text in texts {
        anyhow::ensure!(!text.is_empty(), "a note has a text");
        sqlx::query("insert into notes values (?)")
            .bind(text)
            .execute(&mut **tx)
            .await?;
    }
    Ok(sqlx::query_scalar("select count(*) from notes")
        .fetch_one(&mut **tx)
        .await?)
}

#[tokio::test]
async fn a_handler_takes_an_event_of_its_own_type() {
    assert_eq!(
        write(event(Batch(vec!["a", "b"]))).await.expect("a count"),
        2
    );
    let error = write(event(Batch(vec!["c", ""])))
        .await
        .expect_err("an empty text");
    assert_eq!(error.to_string(), "a note has a text");
    assert_eq!(write(event(Batch(vec!["d"]))).await.expect("a count"), 3);
    assert_eq!(counts(WRITE_TX.stats()), one_connection(3));
}
