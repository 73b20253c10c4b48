//! The errors of the handlers, and the responses to them.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use lambda_http::tracing;
use reuse_db::{HasOutcome, Outcome};

#[derive(Debug)]
pub(crate) enum Failure {
    NotFound,
    Unacceptable(&'static str),
    Database(sqlx::Error),
    /// No connection was available.
    Connection(reuse_db::Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::RowNotFound => Self::NotFound,
            error => Self::Database(error),
        }
    }
}

impl From<reuse_db::Error> for Failure {
    fn from(error: reuse_db::Error) -> Self {
        Self::Connection(error)
    }
}

/// A rejected request is no failure of the database: its connection is kept as it is.
impl HasOutcome for Failure {
    fn outcome(&self) -> Outcome {
        match self {
            Self::NotFound | Self::Unacceptable(_) => Outcome::ClientError,
            Self::Database(error) => Outcome::of_error(error),
            Self::Connection(error) => Outcome::of_error(error),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND.into_response(),
            Self::Unacceptable(reason) => {
                (StatusCode::UNPROCESSABLE_ENTITY, reason).into_response()
            }
            // The response does not contain the cause; the log does.
            Self::Database(error) => {
                tracing::error!(%error, "a statement failed");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
            Self::Connection(error) => {
                tracing::error!(%error, "no connection");
                match error.to_response() {
                    Some(unavailable) => unavailable.into_response(),
                    None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
                }
            }
        }
    }
}
