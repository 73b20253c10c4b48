//! The function of the stress test `transfers`: the example `transfer`, with other databases and
//! clients, and with faults.
//!
//! The variable `CLIENT` selects the handler. The query has `id`, `payer`, `payee` and `amount`.
//! `how` selects the fault, and `at` the statement after which it happens.

#![expect(clippy::panic, reason = "the handler is asked to panic")]

mod diesel_async;
mod tokio_postgres;

use std::time::Duration;

use lambda_http::{Body, Error, Request, Response, service_fn};
use reuse_db::reuse_db;
use reuse_db_tests::query::{number, word};
use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, Statement,
    TransactionTrait as _, Value,
};
use sqlx::{MySql, Postgres, Sqlite, Transaction};

/// A request for a transfer.
struct Transfer {
    id: i64,
    payer: i64,
    payee: i64,
    amount: i64,
    how: String,
    at: i64,
}

impl Transfer {
    fn of(request: &Request) -> Self {
        Self {
            id: number(request, "id"),
            payer: number(request, "payer"),
            payee: number(request, "payee"),
            amount: number(request, "amount"),
            how: word(request, "how"),
            at: number(request, "at"),
        }
    }

    /// Ends the handler in its way if the statement is the one before its end.
    async fn may_end(&self, statement: i64) -> Result<(), Error> {
        if statement != self.at {
            return Ok(());
        }
        match self.how.as_str() {
            "panic" => panic!("the handler panics"),
            "fail" => Err("the handler fails".into()),
            "sleep" => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn answer(status: u16) -> Result<Response<Body>, Error> {
    Ok(Response::builder().status(status).body(Body::Empty)?)
}

const ADD: &str = "insert into transfers values ($1, $2, $3, $4)";
const BALANCE: &str = "select balance from accounts where id = $1";
const CHANGE: &str = "update accounts set balance = balance + $2 where id = $1";

const MYSQL_ADD: &str = "insert into transfers values (?, ?, ?, ?)";
const MYSQL_BALANCE: &str = "select balance from accounts where id = ?";
const MYSQL_CHANGE: &str = "update accounts set balance = balance + ? where id = ?";

macro_rules! on_sqlx {
    ($handler:ident, $database:ty, $add:ident, $balance:ident, $change:ident, $lock:literal, $swaps:literal) => {
        #[reuse_db]
        async fn $handler(
            request: Request,
            tx: &mut Transaction<'_, $database>,
        ) -> Result<Response<Body>, Error> {
            let transfer = Transfer::of(&request);
            let Transfer {
                id,
                payer,
                payee,
                amount,
                ..
            } = transfer;
            let add = sqlx::query($add)
                .bind(id)
                .bind(payer)
                .bind(payee)
                .bind(amount);
            add.execute(&mut **tx).await?;
            transfer.may_end(0).await?;
            let mut balance = 0;
            for account in [payer.min(payee), payer.max(payee)] {
                let sql = format!("{}{}", $balance, $lock);
                let found: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
                    .bind(account)
                    .fetch_one(&mut **tx)
                    .await?;
                if account == payer {
                    balance = found;
                }
            }
            if balance < amount {
                return answer(409);
            }
            for (n, (account, change)) in
                [(payer, -amount), (payee, amount)].into_iter().enumerate()
            {
                let (first, second) = if $swaps {
                    (change, account)
                } else {
                    (account, change)
                };
                let update = sqlx::query($change).bind(first).bind(second);
                update.execute(&mut **tx).await?;
                transfer.may_end(n as i64 + 1).await?;
            }
            answer(201)
        }
    };
}

on_sqlx!(
    postgres,
    Postgres,
    ADD,
    BALANCE,
    CHANGE,
    " for update",
    false
);
on_sqlx!(
    mysql,
    MySql,
    MYSQL_ADD,
    MYSQL_BALANCE,
    MYSQL_CHANGE,
    " for update",
    true
);
on_sqlx!(sqlite, Sqlite, ADD, BALANCE, CHANGE, "", false);

/// Runs a statement of SeaORM, in the dialect of its database.
async fn run(
    tx: &DatabaseTransaction,
    backend: DbBackend,
    sql: [&str; 2],
    values: impl IntoIterator<Item = Value>,
) -> Result<u64, Error> {
    let sql = match backend {
        DbBackend::Postgres => sql[0],
        _ => sql[1],
    };
    let statement = Statement::from_sql_and_values(backend, sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected())
}

#[reuse_db]
async fn sea_orm(request: Request, db: &DatabaseConnection) -> Result<Response<Body>, Error> {
    let transfer = Transfer::of(&request);
    let Transfer {
        id,
        payer,
        payee,
        amount,
        ..
    } = transfer;
    let backend = db.get_database_backend();
    let tx = db.begin().await?;
    let values = [id, payer, payee, amount].map(Value::from);
    run(&tx, backend, [ADD, MYSQL_ADD], values).await?;
    transfer.may_end(0).await?;
    let mut balance = 0;
    for account in [payer.min(payee), payer.max(payee)] {
        let sql = match backend {
            DbBackend::Postgres => BALANCE,
            _ => MYSQL_BALANCE,
        };
        let sql = format!("{sql} for update");
        let statement = Statement::from_sql_and_values(backend, sql, [account.into()]);
        let row = tx.query_one_raw(statement).await?.ok_or("no account")?;
        if account == payer {
            balance = row.try_get_by_index(0)?;
        }
    }
    if balance < amount {
        return answer(409);
    }
    for (n, (account, change)) in [(payer, -amount), (payee, amount)].into_iter().enumerate() {
        let values = match backend {
            DbBackend::Postgres => [account, change],
            _ => [change, account],
        };
        run(
            &tx,
            backend,
            [CHANGE, MYSQL_CHANGE],
            values.map(Value::from),
        )
        .await?;
        transfer.may_end(n as i64 + 1).await?;
    }
    tx.commit()
        .await
        .map_err(|error| format!("COMMIT failed: {error}"))?;
    answer(201)
}

async fn route(request: Request) -> Result<Response<Body>, Error> {
    match std::env::var("CLIENT").as_deref() {
        Ok("postgres") => postgres(request).await,
        Ok("mysql") => mysql(request).await,
        Ok("sqlite") => sqlite(request).await,
        Ok("sea-orm") => sea_orm(request).await,
        Ok("tokio-postgres") => tokio_postgres::transfer(request).await,
        Ok("diesel-async") => diesel_async::on_postgres(request).await,
        Ok("diesel-async-mysql") => diesel_async::on_mysql(request).await,
        other => Err(format!("no client {other:?}").into()),
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    lambda_http::tracing::init_default_subscriber();
    reuse_db::run(service_fn(route)).await
}
