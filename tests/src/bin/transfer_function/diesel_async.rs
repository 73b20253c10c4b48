//! The transfer by diesel-async.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::{AsyncConnection as _, AsyncMysqlConnection, AsyncPgConnection, RunQueryDsl};
use lambda_http::{Body, Error, Request, Response};
use reuse_db::reuse_db;

use super::{ADD, CHANGE, MYSQL_ADD, MYSQL_CHANGE, Transfer, answer};

diesel::table! {
    accounts (id) {
        id -> BigInt,
        balance -> BigInt,
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

/// Defines the handler for a database.
macro_rules! transfer {
    ($handler:ident, $connection:ty, $backend:ty, $add:ident, $change:ident, $swaps:literal) => {
        #[reuse_db]
        pub(super) async fn $handler(
            request: Request,
            db: &mut $connection,
        ) -> Result<Response<Body>, Error> {
            async fn pay(transfer: &Transfer, db: &mut $connection) -> Result<(), Failure> {
                let &Transfer {
                    id,
                    payer,
                    payee,
                    amount,
                    ..
                } = transfer;
                let mut add = diesel::sql_query($add).into_boxed::<$backend>();
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
                for (n, (account, change)) in
                    [(payer, -amount), (payee, amount)].into_iter().enumerate()
                {
                    let update = diesel::sql_query($change);
                    let [first, second] = if $swaps {
                        [change, account]
                    } else {
                        [account, change]
                    };
                    let update = update.bind::<BigInt, _>(first).bind::<BigInt, _>(second);
                    update.execute(db).await?;
                    transfer.may_end(n as i64 + 1).await?;
                }
                Ok(())
            }

            let transfer = Transfer::of(&request);
            let mut is_committing = false;
            let work = async |db: &mut $connection| {
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
    };
}

transfer!(
    on_postgres,
    AsyncPgConnection,
    diesel::pg::Pg,
    ADD,
    CHANGE,
    false
);
transfer!(
    on_mysql,
    AsyncMysqlConnection,
    diesel::mysql::Mysql,
    MYSQL_ADD,
    MYSQL_CHANGE,
    true
);
