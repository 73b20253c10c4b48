//! The steps of tokio-postgres:
//!
//! | step | does |
//! |---|---|
//! | `copy TEXT` | begins a COPY, and ignores its error |
//! | `keep-copy TEXT` | begins a COPY, writes half a row, and keeps it beyond the handler |
//! | `half-copy TEXT` | does the same, and drops it |
//! | `keep-rows TEXT` | reads one row, and keeps the others beyond the handler |
//! | `half-rows TEXT` | reads one row, and drops the others |
//! | `half-prepare TEXT` | begins to prepare SQL, and drops it |
//! | `prepare TEXT` | prepares SQL, and keeps the statement beyond the handler |
//! | `prepared` | runs that statement, and answers the text of its first column |
//! | `row TEXT` | runs SQL by a prepared statement, and answers the text of its first column |
//! | `mood TEXT` | sends a value of the type `mood` |
//! | `types TEXT` | runs SQL, and answers the names of its columns' types |

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt as _, StreamExt as _};
use lambda_http::Error;
use reuse_db::BoxError;
use tokio_postgres::types::{IsNull, Kind, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, CopyInSink, RowStream, SimpleQueryMessage, Statement};

use super::Steps;

static ROWS: Mutex<Vec<Pin<Box<RowStream>>>> = Mutex::new(Vec::new());
static COPIES: Mutex<Vec<Pin<Box<CopyInSink<Bytes>>>>> = Mutex::new(Vec::new());
static STATEMENT: Mutex<Option<Statement>> = Mutex::new(None);

/// A value of an enumeration, as the derive macro of postgres-types makes it.
#[derive(Debug)]
struct Mood(String);

impl ToSql for Mood {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, BoxError> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        matches!(ty.kind(), Kind::Enum(labels) if labels.len() == 3)
    }

    to_sql_checked!();
}

pub(super) struct Runner<'c>(pub(super) &'c Client);

impl Runner<'_> {
    async fn half_copy(&self, sql: &str) -> Result<Pin<Box<CopyInSink<Bytes>>>, Error> {
        let mut copy = Box::pin(self.0.copy_in(sql).await?);
        copy.send(Bytes::from_static(b"1\t")).await?;
        Ok(copy)
    }

    async fn half_rows(&self, sql: &str) -> Result<Pin<Box<RowStream>>, Error> {
        let none: [i32; 0] = [];
        let mut rows = Box::pin(self.0.query_raw(sql, none).await?);
        rows.next().await.ok_or("no row")??;
        Ok(rows)
    }
}

impl Steps for Runner<'_> {
    async fn sql(&mut self, sql: &str) -> Result<(), Error> {
        Ok(self.0.batch_execute(sql).await?)
    }

    async fn query(&mut self, sql: &str) -> Result<String, Error> {
        let answer = self.0.simple_query(sql).await?;
        let first = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("NULL").to_owned()),
            _ => None,
        });
        Ok(first.unwrap_or_else(|| "-".to_owned()))
    }

    async fn other(&mut self, step: &str, text: &str) -> Result<Option<String>, Error> {
        match step {
            "copy" => {
                let copy: Result<CopyInSink<Bytes>, _> = self.0.copy_in(text).await;
                if copy.is_ok() {
                    return Err("the server has accepted it".into());
                }
            }
            "keep-copy" => {
                let copy = self.half_copy(text).await?;
                COPIES.lock().map_err(|_| "poisoned")?.push(copy);
            }
            "half-copy" => drop(self.half_copy(text).await?),
            "keep-rows" => {
                let rows = self.half_rows(text).await?;
                ROWS.lock().map_err(|_| "poisoned")?.push(rows);
            }
            "half-rows" => drop(self.half_rows(text).await?),
            "half-prepare" => {
                let mut prepare = Box::pin(self.0.prepare(text));
                poll_fn(|cx| {
                    let _ = prepare.as_mut().poll(cx);
                    Poll::Ready(())
                })
                .await;
            }
            "prepare" => {
                let statement = self.0.prepare(text).await?;
                *STATEMENT.lock().map_err(|_| "poisoned")? = Some(statement);
            }
            "prepared" => {
                let statement = STATEMENT.lock().map_err(|_| "poisoned")?.clone();
                let row = self
                    .0
                    .query_one(&statement.ok_or("no statement")?, &[])
                    .await?;
                return Ok(Some(row.try_get(0)?));
            }
            "row" => {
                let row = self.0.query_one(text, &[]).await?;
                return Ok(Some(row.try_get(0)?));
            }
            "mood" => {
                let sql = "select $1::mood::text";
                let row = self.0.query_one(sql, &[&Mood(text.to_owned())]).await?;
                return Ok(Some(row.try_get(0)?));
            }
            "types" => {
                let statement = self.0.prepare(text).await?;
                self.0.query(&statement, &[]).await?;
                let names = statement
                    .columns()
                    .iter()
                    .map(|column| column.type_().name());
                return Ok(Some(names.collect::<Vec<_>>().join("+")));
            }
            other => return Err(format!("no step {other}").into()),
        }
        Ok(None)
    }
}
