//! Handlers that read, with a connection.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode};
use reuse_db::reuse_db;
use sqlx::PgConnection;

use crate::{DATABASE, Failure, Greeting};

#[reuse_db(source = DATABASE)]
pub(crate) async fn one(db: &mut PgConnection) -> Result<String, Failure> {
    Ok(sqlx::query_scalar("select 'one'").fetch_one(db).await?)
}

#[reuse_db(source = DATABASE)]
pub(crate) async fn two(db: &mut PgConnection) -> Result<String, Failure> {
    let one: String = sqlx::query_scalar("select 'one'")
        .fetch_one(&mut *db)
        .await?;
    let two: String = sqlx::query_scalar("select 'two'").fetch_one(db).await?;
    Ok(one + &two)
}

#[reuse_db(source = DATABASE)]
pub(crate) async fn count(db: &mut PgConnection) -> Result<Json<i64>, Failure> {
    let count = sqlx::query_scalar("select count(*) from notes")
        .fetch_one(db)
        .await?;
    Ok(Json(count))
}

#[reuse_db(source = DATABASE)]
pub(crate) async fn last(db: &mut PgConnection) -> Result<Json<Option<String>>, Failure> {
    let last = sqlx::query_scalar("select max(text) from notes")
        .fetch_one(db)
        .await?;
    Ok(Json(last))
}

#[reuse_db(source = DATABASE)]
pub(crate) async fn sum(
    Path((a, b)): Path<(i64, i64)>,
    db: &mut PgConnection,
) -> Result<Json<i64>, Failure> {
    let sum = sqlx::query_scalar("select $1::int8 + $2::int8")
        .bind(a)
        .bind(b)
        .fetch_one(db)
        .await?;
    Ok(Json(sum))
}

#[reuse_db(source = DATABASE)]
pub(crate) async fn search(
    Query(query): Query<HashMap<String, String>>,
    db: &mut PgConnection,
) -> Result<Json<Vec<String>>, Failure> {
    let found = sqlx::query_scalar("select text from notes where text like $1 order by text");
    Ok(Json(found.bind(query.get("like")).fetch_all(db).await?))
}

#[reuse_db(source = DATABASE)]
pub(crate) async fn greet(
    State(Greeting(greeting)): State<Greeting>,
    Path(name): Path<String>,
    db: &mut PgConnection,
) -> Result<String, Failure> {
    Ok(sqlx::query_scalar("select $1 || $2")
        .bind(greeting)
        .bind(name)
        .fetch_one(db)
        .await?)
}

#[reuse_db(source = DATABASE)]
pub(crate) async fn agent(headers: HeaderMap, db: &mut PgConnection) -> Result<Json<i32>, Failure> {
    let agent = headers
        .get("user-agent")
        .and_then(|agent| agent.to_str().ok());
    Ok(Json(
        sqlx::query_scalar("select length($1)")
            .bind(agent)
            .fetch_one(db)
            .await?,
    ))
}

#[reuse_db(source = DATABASE)]
pub(crate) async fn method(#[db] db: &mut PgConnection, method: Method) -> Result<String, Failure> {
    Ok(sqlx::query_scalar("select lower($1)")
        .bind(method.as_str())
        .fetch_one(db)
        .await?)
}

#[reuse_db(source = DATABASE)]
pub(crate) async fn missing(db: &mut PgConnection) -> Result<(StatusCode, &'static str), Failure> {
    let found = sqlx::query("select where false").fetch_optional(db).await?;
    Ok(match found {
        Some(_) => (StatusCode::OK, "found"),
        None => (StatusCode::NOT_FOUND, "missing"),
    })
}
