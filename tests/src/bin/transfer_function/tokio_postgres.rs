//! The transfer by tokio-postgres.

use lambda_http::{Body, Error, Request, Response};
use reuse_db::reuse_db;
use tokio_postgres::Transaction;

use super::{ADD, BALANCE, CHANGE, Transfer, answer};

#[reuse_db]
pub(super) async fn transfer(
    request: Request,
    tx: &mut Transaction<'_>,
) -> Result<Response<Body>, Error> {
    let transfer = Transfer::of(&request);
    let Transfer {
        id,
        payer,
        payee,
        amount,
        ..
    } = transfer;
    tx.execute(ADD, &[&id, &payer, &payee, &amount]).await?;
    transfer.may_end(0).await?;
    let mut balance = 0;
    let lock = tx.prepare(&format!("{BALANCE} for update")).await?;
    for account in [payer.min(payee), payer.max(payee)] {
        let found = tx.query_one(&lock, &[&account]).await?.try_get(0)?;
        if account == payer {
            balance = found;
        }
    }
    if balance < amount {
        return answer(409);
    }
    for (n, (account, change)) in [(payer, -amount), (payee, amount)].into_iter().enumerate() {
        tx.execute(CHANGE, &[&account, &change]).await?;
        transfer.may_end(n as i64 + 1).await?;
    }
    answer(201)
}
