//! How a handler's return type says that there was no connection.

use lambda_http::http::{Response, StatusCode, header};

use crate::Error;

/// Turns an [`Error`] into what a handler returns: `Err` of its error type, or a response: a 503, and a 500
/// for a transaction that was not committed, or nobody knows.
#[diagnostic::on_unimplemented(
    message = "a handler that returns `{Self}` cannot say that there was no connection",
    label = "write a `Result` whose error type is made from a `reuse_db::Error`, or an `http::Response`",
    note = "`sqlx::Error`, `lambda_http::Error` and `anyhow::Error` are; for an error type of your own write `impl From<reuse_db::Error> for …`",
    note = "the body of a `Response` is made from a `String`"
)]
#[cfg_attr(
    not(feature = "_sqlx"),
    diagnostic::on_unimplemented(
        note = "`sqlx::Error` is with the feature of reuse-db for the driver: `postgres`, `mysql`, `sqlite` or `any`"
    )
)]
pub trait Refuse {
    /// What the handler returns when it could not be called, or its transaction could not be
    /// committed.
    fn refuse(error: Error) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T, E: From<Error>> Refuse for Result<T, E> {
    #[cold]
    #[inline(never)]
    fn refuse(error: Error) -> Self {
        Err(error.into())
    }
}

/// The cause goes to the log, not to the client. A client is told to come back (a 503 with `Retry-After: 1`)
/// only where the handler was not called: a COMMIT without an answer may have happened.
#[diagnostic::do_not_recommend]
impl<B: From<String>> Refuse for Response<B> {
    #[cold]
    #[inline(never)]
    fn refuse(error: Error) -> Self {
        tracing::error!(target: "reuse_db", %error, "the handler was not called, or its transaction not committed");
        let response = match error {
            Error::Transaction { step: "COMMIT", .. } => not_committed(),
            _ => service_unavailable(),
        };
        response.map(B::from)
    }
}

/// A 503 that says to try again in a second, and not why.
pub(crate) fn service_unavailable() -> Response<String> {
    let mut response = json(
        StatusCode::SERVICE_UNAVAILABLE,
        r#"{"error":"the database is not available"}"#,
    );
    let soon = header::HeaderValue::from_static("1");
    response.headers_mut().insert(header::RETRY_AFTER, soon);
    response
}

fn not_committed() -> Response<String> {
    json(
        StatusCode::INTERNAL_SERVER_ERROR,
        r#"{"error":"the database did not confirm it"}"#,
    )
}

fn json(status: StatusCode, body: &str) -> Response<String> {
    let mut response = Response::new(body.to_owned());
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_a_503_without_the_cause() {
        let response = Response::<String>::refuse(Error::rejected("no entry for role app"));
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
        assert!(!response.body().contains("role"));
    }

    /// It may be there already: whoever repeats it should look first.
    #[test]
    fn what_may_have_been_committed_is_not_to_be_tried_again() {
        let response = Response::<String>::refuse(Error::Transaction {
            step: "COMMIT",
            source: "no answer in time".into(),
        });
        assert_eq!(response.status(), 500);
        assert!(!response.headers().contains_key("retry-after"));
    }
}
