//! The outcome that a handler's value reports.

use lambda_http::aws_lambda_events::alb::AlbTargetGroupResponse;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayProxyResponse, ApiGatewayV2httpResponse};
use lambda_http::aws_lambda_events::lambda_function_urls::LambdaFunctionUrlResponse;
use lambda_http::aws_lambda_events::vpc_lattice::VpcLatticeResponse;
use lambda_http::http::{Response, StatusCode};
use lambda_http::lambda_runtime::{FunctionResponse, StreamResponse};
use serde_json::Value;

use super::Outcome;

/// A value that reports whether its handler succeeded.
///
/// The attribute asks a handler's output, or the value in its `Ok`. An HTTP status of 5xx is a
/// [`Failure`](Outcome::Failure), one of 4xx a [`ClientError`](Outcome::ClientError). These types
/// have one: `http::Response`, `StatusCode`, alone or first in a tuple, the responses of
/// `aws_lambda_events` and `FunctionResponse`, and a `serde_json::Value` with the member
/// `statusCode`. Any other type is a success, unless you implement this trait for it:
///
/// ```
/// use reuse_db::{HasOutcome, Outcome};
///
/// /// A response of GraphQL, which has the status 200 even if it contains errors.
/// pub struct GraphQl {
///     pub data: Option<String>,
///     pub errors: Vec<String>,
/// }
///
/// impl HasOutcome for GraphQl {
///     fn outcome(&self) -> Outcome {
///         if self.errors.is_empty() {
///             Outcome::Success
///         } else {
///             Outcome::Failure
///         }
///     }
/// }
/// ```
///
/// A handler that takes a transaction and returns such a value with errors commits nothing.
///
/// A wrapper such as axum's `Json<T>` counts as a success, whatever is in it.
///
/// An error type may implement this trait, too. So a handler can reject a request by `Err` without
/// a failure: the transaction is rolled back, and the session is neither checked nor reset. The
/// implementation replaces the search for an error of the database, so pass that error on:
///
/// ```
/// use reuse_db::{HasOutcome, Outcome};
///
/// pub enum AppError {
///     NotFound,
///     Database(sqlx::Error),
/// }
///
/// impl HasOutcome for AppError {
///     fn outcome(&self) -> Outcome {
///         match self {
///             Self::NotFound => Outcome::ClientError,
///             Self::Database(error) => Outcome::of_error(error),
///         }
///     }
/// }
/// ```
pub trait HasOutcome {
    /// Returns the outcome of the handler that returns this value.
    fn outcome(&self) -> Outcome;
}

impl<B> HasOutcome for Response<B> {
    fn outcome(&self) -> Outcome {
        Outcome::of_status(self.status())
    }
}

impl HasOutcome for StatusCode {
    fn outcome(&self) -> Outcome {
        Outcome::of_status(*self)
    }
}

macro_rules! first_in_a_tuple {
    ($(($($part:ident),+))*) => {$(
        impl<$($part),+> HasOutcome for (StatusCode, $($part),+) {
            fn outcome(&self) -> Outcome {
                self.0.outcome()
            }
        }
    )*};
}

first_in_a_tuple! { (A) (A, B) (A, B, C) (A, B, C, D) }

macro_rules! status_code {
    ($($response:ty),+) => {$(
        impl HasOutcome for $response {
            fn outcome(&self) -> Outcome {
                Outcome::of_code(self.status_code.into())
            }
        }
    )+};
}

status_code! {
    AlbTargetGroupResponse, ApiGatewayProxyResponse, ApiGatewayV2httpResponse, VpcLatticeResponse,
    LambdaFunctionUrlResponse
}

impl<B: HasOutcome, S> HasOutcome for FunctionResponse<B, S> {
    fn outcome(&self) -> Outcome {
        match self {
            Self::BufferedResponse(body) => body.outcome(),
            Self::StreamingResponse(response) => response.outcome(),
        }
    }
}

impl<S> HasOutcome for StreamResponse<S> {
    fn outcome(&self) -> Outcome {
        Outcome::of_status(self.metadata_prelude.status_code)
    }
}

/// An object's `statusCode`, a number or numeric text, counts like an HTTP status.
impl HasOutcome for Value {
    fn outcome(&self) -> Outcome {
        let code = self.get("statusCode").and_then(|code| match code {
            Self::Number(number) => number.as_f64().map(|code| code as i64),
            Self::String(text) => text.trim().parse().ok(),
            _ => None,
        });
        code.map_or(Outcome::Success, Outcome::of_code)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_code_of_json_counts() {
        for (value, outcome) in [
            (json!({"statusCode": 500}), Outcome::Failure),
            (json!({"statusCode": 502.0}), Outcome::Failure),
            (json!({"statusCode": "503"}), Outcome::Failure),
            (json!({"statusCode": 404}), Outcome::ClientError),
            (json!({"statusCode": 201}), Outcome::Success),
            (json!({"statusCode": "none"}), Outcome::Success),
            (json!({"status": 500}), Outcome::Success),
            (json!([500]), Outcome::Success),
            (json!(500), Outcome::Success),
        ] {
            assert_eq!(value.outcome(), outcome, "{value}");
        }
    }
}
