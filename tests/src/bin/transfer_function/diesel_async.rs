//! The transfer by diesel-async.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};
use lambda_http::{Body, Error, Request, Response};
use reuse_db::reuse_db;

use super::{ADD, CHANGE, Transfer, answer};

diesel::table! {
    accounts (id) {
        id -> BigInt,
        balance -> BigInt,
    }
}

#[reuse_db]
pub(super) async fn transfer(
    request: Request,
    db: &mut AsyncPgConnection,
) -> Result<Response<Body>, Error> {
    let transfer = Transfer::of(&request);
    let mut is_committing = false;
    let work = async |db: &mut AsyncPgConnection| {
        pay(&transfer, db).await?;
        is_committing = true;
        Ok::<_, Failure>(())
    };
    match db.transaction(work).await {
        Ok(()) => answer(201),
        Err(Failure::TooLow) => answer(409),
        Err(Failure::Other(error)) if is_committing => {
            Err(format!("COMMIT failed: {error}").into())
        }
        Err(Failure::Other(error)) => Err(error),
    }
}

/// The reason for which the transaction is rolled back.
enum Failure {
    /// The payer's balance.
    TooLow,
    /// An error of the handler, or of diesel.
    Other(Error),
}

impl From<diesel::result::Error> for Failure {
    fn from(error: diesel::result::Error) -> Self {
        Self::Other(error.into())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

async fn pay(transfer: &Transfer, db: &mut AsyncPgConnection) -> Result<(), Failure> {
    let &Transfer {
        id,
        payer,
        payee,
        amount,
        ..
    } = transfer;
    let mut add = diesel::sql_query(ADD).into_boxed::<diesel::pg::Pg>();
    for value in [id, payer, payee, amount] {
        add = add.bind::<BigInt, _>(value);
    }
    add.execute(db).await?;
    transfer.may_end(0).await?;
    let mut balance = 0;
    for account in [payer.min(payee), payer.max(payee)] {
        let found = accounts::table
            .find(account)
            .select(accounts::balance)
            .for_update();
        let found: i64 = found.first(db).await?;
        if account == payer {
            balance = found;
        }
    }
    if balance < amount {
        return Err(Failure::TooLow);
    }
    for (n, (account, change)) in [(payer, -amount), (payee, amount)].into_iter().enumerate() {
        let update = diesel::sql_query(CHANGE);
        let update = update.bind::<BigInt, _>(account).bind::<BigInt, _>(change);
        update.execute(db).await?;
        transfer.may_end(n as i64 + 1).await?;
    }
    Ok(())
}
