//! A handler's return value when no connection was available.

use lambda_http::http::Response;

use super::http::{not_confirmed, service_unavailable};
use crate::error::Error;
use crate::telemetry::events;

/// Conversion of an [`Error`] into a handler's return type.
///
/// A `Result` becomes `Err` of its error type. An `http::Response` becomes a 503 with
/// `Retry-After: 1`, or a 500 if a COMMIT failed or its outcome is unknown.
#[cfg_attr(
    feature = "_sqlx",
    diagnostic::on_unimplemented(
        note = "`sqlx::Error`, `lambda_http::Error` and `anyhow::Error` convert"
    )
)]
#[cfg_attr(
    not(feature = "_sqlx"),
    diagnostic::on_unimplemented(note = "`lambda_http::Error` and `anyhow::Error` convert, \
                `sqlx::Error` with a driver's feature of reuse-db")
)]
#[diagnostic::on_unimplemented(
    message = "a handler that returns `{Self}` cannot report a database error",
    label = "write a `Result` whose error converts from `reuse_db::Error`, or an `http::Response`",
    note = "your own error type needs `impl From<reuse_db::Error>`",
    note = "the body of an `http::Response` must convert from `String`"
)]
pub trait FromError {
    /// Returns what the handler returns when it could not be called, or when its transaction
    /// could not be committed.
    fn from_error(error: Error) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E: From<Error>> FromError for Result<T, E> {
    #[cold]
    #[inline(never)]
    fn from_error(error: Error) -> Self {
        Err(error.into())
    }
}

/// The response does not contain the cause; the log does. Only a response to a handler that was
/// not called asks the client to retry: a COMMIT without an answer may have happened.
///
/// The pool and the drivers log their errors. This logs those of a user's own
/// [`Finish`](crate::Finish).
#[diagnostic::do_not_recommend]
impl<B: From<String>> FromError for Response<B> {
    #[cold]
    #[inline(never)]
    fn from_error(error: Error) -> Self {
        if let Error::Broken { source } = &error {
            events::transaction_failed("finish", source);
        }
        let response = match error {
            Error::Transaction { step: "COMMIT", .. } => not_confirmed(),
            _ => service_unavailable(),
        };
        response.map(B::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_a_503_without_the_cause() {
        let response = Response::<String>::from_error(Error::rejected("no entry for role app"));
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
        assert!(!response.body().contains("role"));
    }

    #[test]
    fn a_commit_without_an_answer_does_not_ask_for_a_retry() {
        let response = Response::<String>::from_error(Error::Transaction {
            step: "COMMIT",
            source: "no answer in time".into(),
        });
        assert_eq!(response.status(), 500);
        assert!(!response.headers().contains_key("retry-after"));
    }
}
