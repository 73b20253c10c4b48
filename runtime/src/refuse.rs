//! How a handler's return type says that there was no connection.

use lambda_http::http::{Response, StatusCode, header};

use crate::Error;

/// Turns an [`Error`] into what a handler returns: `Err` of its error type, or a 503 response.
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

/// A 503 with `Retry-After: 1`. The cause goes to the log, not to the client.
#[diagnostic::do_not_recommend]
impl<B: From<String>> Refuse for Response<B> {
    #[cold]
    #[inline(never)]
    fn refuse(error: Error) -> Self {
        tracing::error!(target: "reuse_db", %error, "the handler was not called, or its transaction not committed");
        service_unavailable().map(B::from)
    }
}

/// A 503 that says to try again in a second, and not why.
pub(crate) fn service_unavailable() -> Response<String> {
    let mut response = Response::new(String::from(r#"{"error":"the database is not available"}"#));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
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
}
