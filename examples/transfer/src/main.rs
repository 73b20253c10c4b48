//! Moves money between accounts. A response of 201 means that the transfer is committed.
//!
//! `POST /` takes `{"id":1,"payer":1,"payee":2,"amount":5}`. The tables are in `schema.sql`.

use lambda_http::{Body, Error, Request, Response, service_fn, tracing};
use reuse_db::reuse_db;
use serde::Deserialize;
use sqlx::{Postgres, Transaction};

#[derive(Deserialize)]
struct Transfer {
    /// Chosen by the client, so that it can ask again without paying twice.
    id: i64,
    payer: i64,
    payee: i64,
    amount: i64,
}

/// Transfers an amount. A status of 4xx or 5xx, and any error, rolls everything back.
#[reuse_db]
async fn transfer(
    request: Request,
    tx: &mut Transaction<'_, Postgres>,
) -> Result<Response<Body>, Error> {
    let transfer: Transfer = serde_json::from_slice(request.body())?;
    let Transfer {
        id,
        payer,
        payee,
        amount,
    } = transfer;
    if amount <= 0 || payer == payee {
        return answer(422);
    }
    let added = sqlx::query("insert into transfers values ($1, $2, $3, $4) on conflict do nothing")
        .bind(id)
        .bind(payer)
        .bind(payee)
        .bind(amount)
        .execute(&mut **tx)
        .await?;
    if added.rows_affected() == 0 {
        // The client asks again. It was committed before.
        return answer(200);
    }
    // Always in the same order: two opposite transfers must not wait for each other.
    let locked: Vec<(i64, i64)> = sqlx::query_as(
        "select id, balance from accounts where id in ($1, $2) order by id for update",
    )
    .bind(payer)
    .bind(payee)
    .fetch_all(&mut **tx)
    .await?;
    let balance = locked.iter().find(|(id, _)| *id == payer);
    if balance.is_none_or(|(_, balance)| *balance < amount) {
        return answer(409);
    }
    for (account, change) in [(payer, -amount), (payee, amount)] {
        sqlx::query("update accounts set balance = balance + $2 where id = $1")
            .bind(account)
            .bind(change)
            .execute(&mut **tx)
            .await?;
    }
    answer(201)
}

fn answer(status: u16) -> Result<Response<Body>, Error> {
    Ok(Response::builder().status(status).body(Body::Empty)?)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    reuse_db::run(service_fn(transfer)).await
}
