//! The HTTP responses in place of a handler's: the 503, the 504 and the 500.

use lambda_http::http::{Response, StatusCode, header};

use crate::error::Error;

impl Error {
    /// Returns the response that asks a client to retry: a 503 with `Retry-After: 1` and a small
    /// JSON body without the cause.
    ///
    /// Returns `None` unless the kind is [`Unavailable`](crate::ErrorKind::Unavailable) or
    /// [`Saturated`](crate::ErrorKind::Saturated).
    ///
    /// The [`ServiceUnavailable`](crate::ServiceUnavailable) layer, which [`run`](crate::run)
    /// adds, responds like this when a handler returns the error. Call this method where errors
    /// become responses inside the handler, as in axum.
    #[must_use]
    pub fn to_response(&self) -> Option<Response<String>> {
        self.is_transient().then(service_unavailable)
    }
}

/// Builds the 503 of an invocation that gets no connection.
pub(super) fn service_unavailable() -> Response<String> {
    let mut response = json(
        StatusCode::SERVICE_UNAVAILABLE,
        r#"{"error":"the database is not available"}"#,
    );
    let one_second = header::HeaderValue::from_static("1");
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, one_second);
    response
}

/// Builds the 500 of a COMMIT that failed or has no answer.
pub(super) fn not_confirmed() -> Response<String> {
    json(
        StatusCode::INTERNAL_SERVER_ERROR,
        r#"{"error":"the database did not confirm the transaction"}"#,
    )
}

/// Builds the 504 of a handler that was ended before its deadline.
pub(crate) fn gateway_timeout() -> Response<String> {
    json(
        StatusCode::GATEWAY_TIMEOUT,
        r#"{"error":"the function did not finish in time"}"#,
    )
}

fn json(status: StatusCode, body: &str) -> Response<String> {
    let mut response = Response::new(body.to_owned());
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
