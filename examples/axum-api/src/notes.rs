//! The handlers. Each takes the connection or a transaction on it, and the router sees neither.

use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use reuse_db::reuse_db;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgConnection, Postgres, Transaction};

use crate::failure::Failure;

#[derive(FromRow, Serialize)]
pub(crate) struct Note {
    id: i64,
    text: String,
}

#[derive(Deserialize)]
pub(crate) struct NewNote {
    text: String,
}

#[derive(Deserialize)]
pub(crate) struct Copies {
    count: i64,
}

/// The longest note that is accepted, in bytes.
const LONGEST: usize = 1_000;

#[reuse_db]
pub(crate) async fn list(db: &mut PgConnection) -> Result<Json<Vec<Note>>, Failure> {
    let notes = sqlx::query_as("select id, text from notes order by id limit 100");
    Ok(Json(notes.fetch_all(db).await?))
}

#[reuse_db]
pub(crate) async fn read(
    Path(id): Path<i64>,
    db: &mut PgConnection,
) -> Result<Json<Note>, Failure> {
    let note = sqlx::query_as("select id, text from notes where id = $1").bind(id);
    Ok(Json(note.fetch_one(db).await?))
}

/// Adds a note. The mark `#[db]` allows `Json` to be the last parameter, as axum requires.
#[reuse_db]
pub(crate) async fn add(
    #[db] db: &mut PgConnection,
    Json(note): Json<NewNote>,
) -> Result<(StatusCode, Json<Note>), Failure> {
    if note.text.is_empty() || note.text.len() > LONGEST {
        return Err(Failure::Unacceptable("a note has 1 to 1,000 bytes"));
    }
    let added = sqlx::query_as("insert into notes (text) values ($1) returning id, text");
    let added = added.bind(note.text).fetch_one(db).await?;
    Ok((StatusCode::CREATED, Json(added)))
}

#[reuse_db]
pub(crate) async fn remove(
    Path(id): Path<i64>,
    db: &mut PgConnection,
) -> Result<StatusCode, Failure> {
    let removal = sqlx::query("delete from notes where id = $1").bind(id);
    match removal.execute(db).await?.rows_affected() {
        0 => Err(Failure::NotFound),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

/// Adds all copies or none: the transaction is committed if the response is a success.
#[reuse_db]
pub(crate) async fn copy(
    Path(id): Path<i64>,
    #[db] transaction: &mut Transaction<'_, Postgres>,
    Json(copies): Json<Copies>,
) -> Result<StatusCode, Failure> {
    if copies.count < 1 {
        return Err(Failure::Unacceptable("at least one copy"));
    }
    for n in 0..copies.count {
        if n == 10 {
            return Err(Failure::Unacceptable("no more than ten copies at once"));
        }
        let copy = sqlx::query("insert into notes (text) select text from notes where id = $1");
        let copied = copy.bind(id).execute(&mut **transaction).await?;
        if copied.rows_affected() == 0 {
            return Err(Failure::NotFound);
        }
    }
    Ok(StatusCode::CREATED)
}
