//! What a client is told when something went wrong.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use lambda_http::tracing;

#[derive(Debug)]
pub(crate) enum Failure {
    NotFound,
    Unacceptable(&'static str),
    Database(sqlx::Error),
    /// No connection could be had.
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

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND.into_response(),
            Self::Unacceptable(why) => (StatusCode::UNPROCESSABLE_ENTITY, why).into_response(),
            // The cause is for the log, and not for the client.
            Self::Database(error) => {
                tracing::error!(%error, "a statement failed");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
            Self::Connection(error) => {
                tracing::error!(%error, "no connection");
                match error.to_response() {
                    Some(come_back_later) => come_back_later.into_response(),
                    None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
                }
            }
        }
    }
}
