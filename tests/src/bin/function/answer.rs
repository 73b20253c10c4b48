//! The answers of the handlers.

use std::error::Error as StdError;
use std::fmt;
use std::time::{Duration, SystemTime};

use lambda_http::{Body, Error, Response};
use serde_json::{Value, json};

pub(crate) fn answer(status: u16, sum: i64, session: i64) -> Result<Response<Body>, Error> {
    json_response(
        status,
        &json!({ "sum": sum, "session": session, "ended": now(), "stats": stats() }),
    )
}

pub(crate) fn sessions(sessions: &[i64]) -> Result<Response<Body>, Error> {
    json_response(200, &json!({ "sessions": sessions, "stats": stats() }))
}

fn json_response(status: u16, body: &Value) -> Result<Response<Body>, Error> {
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    Ok(response.body(body.to_string().into())?)
}

/// Returns the time of the handler's end, in milliseconds of the Unix epoch.
fn now() -> u64 {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    u64::try_from(now.as_millis()).unwrap_or(0)
}

pub(crate) fn failure() -> Error {
    format!("the handler failed at {}", now()).into()
}

/// Wraps the error of a lease in one of the errors that a handler may return.
pub(crate) fn wrapped(how: &str, error: sqlx::Error) -> Error {
    match how {
        "text" => error.to_string().into(),
        "other" => {
            drop(error);
            failure()
        }
        "enum" => Failure::Database(error).into(),
        "io" => std::io::Error::other(Failure::Database(error)).into(),
        _ => error.into(),
    }
}

#[derive(Debug)]
enum Failure {
    Database(sqlx::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the handler's own words")
    }
}

impl StdError for Failure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let Self::Database(error) = self;
        Some(error)
    }
}

fn stats() -> Value {
    let stats = reuse_db::stats();
    json!({
        "opened": stats.opened, "reused": stats.reused,
        "checked": stats.checked, "inspected": stats.inspected, "stale": stats.stale,
        "discarded": stats.discarded, "closed": stats.closed,
        "unavailable": stats.unavailable, "retried": stats.retried,
        "load_queries": stats.load_queries, "shed": stats.shed,
    })
}
