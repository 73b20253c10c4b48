//! Takes orders from a queue, over one kept connection. Only the failed messages of a batch are
//! delivered again. A message that is delivered twice counts once.
//!
//! The table is in `schema.sql`.

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_http::{Error, LambdaEvent, service_fn, tracing};
use reuse_db::reuse_db;
use serde::Deserialize;
use sqlx::{Connection as _, PgConnection};

#[derive(Deserialize)]
struct Order {
    item: String,
    amount: i32,
}

/// Handles a batch. An error fails the whole batch: no connection was available, or it was lost.
#[reuse_db]
async fn work(
    event: LambdaEvent<SqsEvent>,
    db: &mut PgConnection,
) -> Result<SqsBatchResponse, Error> {
    let mut response = SqsBatchResponse::default();
    for message in event.payload.records {
        let id = message.message_id.clone().unwrap_or_default();
        if let Err(error) = take(&id, &message, db).await {
            tracing::warn!(id, %error, "the message will be delivered again");
            // A dead connection fails the whole batch.
            db.ping().await?;
            response.add_failure(id);
        }
    }
    Ok(response)
}

/// Stores an order and reduces the stock, in one transaction.
async fn take(id: &str, message: &SqsMessage, db: &mut PgConnection) -> Result<(), Error> {
    let order: Order = serde_json::from_str(message.body.as_deref().unwrap_or_default())?;
    let mut transaction = db.begin().await?;
    let added = sqlx::query(
        "insert into orders (message, item, amount) values ($1, $2, $3) on conflict do nothing",
    )
    .bind(id)
    .bind(&order.item)
    .bind(order.amount)
    .execute(&mut *transaction)
    .await?;
    if added.rows_affected() > 0 {
        let taken = sqlx::query("update stock set amount = amount - $2 where item = $1")
            .bind(&order.item)
            .bind(order.amount)
            .execute(&mut *transaction)
            .await?;
        if taken.rows_affected() == 0 {
            return Err(format!("there is no item `{}`", order.item).into());
        }
    }
    Ok(transaction.commit().await?)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    reuse_db::run_events(service_fn(work)).await
}
