//! Handlers that write, with a transaction.

use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use reuse_db::reuse_db;
use sqlx::{Postgres, Transaction};

use crate::{DATABASE, Failure};

type Tx<'t> = Transaction<'t, Postgres>;

async fn insert(text: &str, tx: &mut Tx<'_>) -> Result<(), sqlx::Error> {
    sqlx::query("insert into notes values ($1)")
        .bind(text)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

#[reuse_db(source = DATABASE)]
pub(crate) async fn add(text: String, #[db] tx: &mut Tx<'_>) -> Result<StatusCode, Failure> {
    insert(&text, tx).await?;
    Ok(StatusCode::CREATED)
}

#[reuse_db(source = DATABASE)]
pub(crate) async fn add_all(
    Json(texts): Json<Vec<String>>,
    tx: &mut Tx<'_>,
) -> Result<Json<usize>, Failure> {
    for text in &texts {
        insert(text, tx).await?;
    }
    Ok(Json(texts.len()))
}

#[reuse_db(source = DATABASE)]
pub(crate) async fn replace(
    Path(old): Path<String>,
    new: String,
    tx: &mut Tx<'_>,
) -> Result<Json<u64>, Failure> {
    let replaced = sqlx::query("update notes set text = $2 where text = $1");
    let replaced = replaced.bind(old).bind(new).execute(&mut **tx).await?;
    Ok(Json(replaced.rows_affected()))
}

#[reuse_db(source = DATABASE)]
pub(crate) async fn remove(
    Path(text): Path<String>,
    tx: &mut Tx<'_>,
) -> Result<StatusCode, Failure> {
    sqlx::query("delete from notes where text = $1")
        .bind(text)
        .execute(&mut **tx)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[reuse_db(source = DATABASE)]
pub(crate) async fn conflict(
    text: String,
    tx: &mut Tx<'_>,
) -> Result<(StatusCode, String), Failure> {
    insert(&text, tx).await?;
    Ok((StatusCode::CONFLICT, text))
}

#[reuse_db(source = DATABASE)]
pub(crate) async fn failure(text: String, tx: &mut Tx<'_>) -> Result<(), Failure> {
    insert(&text, tx).await?;
    Err(Failure(text.into()))
}
