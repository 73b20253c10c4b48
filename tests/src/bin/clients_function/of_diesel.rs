//! The steps of diesel-async:
//!
//! | step | does |
//! |---|---|
//! | `load` | loads the rows of `items` by a cached statement, and answers their number |
//! | `begin` | begins a transaction by diesel's manager, and leaves it |
//! | `transaction TEXT` | runs SQL in a transaction |
//! | `cancel N TEXT` | runs SQL in a transaction, and drops it after `N` polls |
//! | `half-rows TEXT` | reads one row of a query whose column is `first`, and drops the others |
//! | `test-transaction` | begins a transaction for a test |

use std::future::poll_fn;
use std::task::Poll;

use diesel::sql_types::{Nullable, Text};
use diesel::{QueryableByName, Selectable};
use diesel_async::{
    AnsiTransactionManager, AsyncConnection as _, AsyncMysqlConnection, AsyncPgConnection,
    RunQueryDsl as _, SimpleAsyncConnection as _, TransactionManager as _,
};
use futures_util::TryStreamExt as _;
use lambda_http::Error;

use super::Steps;

diesel::table! {
    items (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(diesel::Queryable, Selectable)]
#[diesel(table_name = items)]
struct Item {
    #[expect(dead_code, reason = "only loaded")]
    id: i32,
    #[expect(dead_code, reason = "only loaded")]
    name: String,
}

#[derive(QueryableByName)]
struct First {
    #[diesel(sql_type = Nullable<Text>)]
    first: Option<String>,
}

/// Runs SQL in a transaction of diesel.
macro_rules! in_transaction {
    ($connection:expr, $sql:expr) => {
        $connection.transaction(async |connection| connection.batch_execute($sql).await)
    };
}

pub(super) struct Runner<'c, C>(pub(super) &'c mut C);

/// Implements the steps on a type of connection, whose SQL casts to a text in its own way.
macro_rules! runner {
    ($connection:ty, $text:literal) => {
        impl Steps for Runner<'_, $connection> {
            async fn sql(&mut self, sql: &str) -> Result<(), Error> {
                Ok(self.0.batch_execute(sql).await?)
            }

            async fn query(&mut self, sql: &str) -> Result<String, Error> {
                let sql = format!("select cast(({sql}) as {}) as first", $text);
                let found: First = diesel::sql_query(sql).get_result(self.0).await?;
                Ok(found.first.unwrap_or_else(|| "NULL".to_owned()))
            }

            async fn other(&mut self, step: &str, text: &str) -> Result<Option<String>, Error> {
                match step {
                    "load" => {
                        let found: Vec<Item> = items::table.load(self.0).await?;
                        return Ok(Some(found.len().to_string()));
                    }
                    "half-rows" => {
                        let rows = diesel::sql_query(text).load_stream::<First>(self.0);
                        let row = rows.await?.try_next().await?;
                        return Ok(row.and_then(|row| row.first));
                    }
                    "begin" => AnsiTransactionManager::begin_transaction(self.0).await?,
                    "test-transaction" => self.0.begin_test_transaction().await?,
                    "transaction" => in_transaction!(self.0, text).await?,
                    "cancel" => {
                        let (polls, sql) = text.split_once(' ').ok_or("no number")?;
                        let mut left: u32 = polls.parse()?;
                        let mut work = Box::pin(in_transaction!(self.0, sql));
                        poll_fn(|cx| {
                            if left == 0 {
                                return Poll::Ready(());
                            }
                            left -= 1;
                            work.as_mut().poll(cx).map(drop)
                        })
                        .await;
                    }
                    other => return Err(format!("no step {other}").into()),
                }
                Ok(None)
            }
        }
    };
}

runner!(AsyncPgConnection, "text");
runner!(AsyncMysqlConnection, "char");
