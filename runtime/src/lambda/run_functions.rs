//! In place of the `run` functions of lambda_http and lambda_runtime.

use std::fmt::Debug;

use bytes::Bytes;
use futures_core::Stream;
use http_body::Body;
use lambda_http::http::Response;
use lambda_http::lambda_runtime::{Diagnostic, IntoFunctionResponse};
use lambda_http::{Error, IntoResponse, LambdaEvent, Request, Service};
use serde::{Deserialize, Serialize};

use crate::Runner;

/// Serves the handler, in place of `lambda_http::run`, and takes what that takes, as long as it is
/// `Clone + Send + 'static` too: `service_fn(handler)`, an axum `Router`.
///
/// On Lambda it is `lambda_http::run` with
///
/// - the [`AfterResponse`](crate::AfterResponse) layer: what is owed to connections is done before
///   the freeze, and leases know the invocation's deadline;
/// - the [`ServiceUnavailable`](crate::ServiceUnavailable) layer: a 503 where no connection could be
///   had, in place of a function error;
/// - [`until_shutdown`](crate::until_shutdown): every kept connection is closed when the sandbox
///   ends;
/// - [`SnapStart`](crate::SnapStart): and before a snapshot is taken of it;
/// - several invocations at once where Lambda asks for that (`AWS_LAMBDA_MAX_CONCURRENCY`).
///
/// [`Runner`] is the same with settings.
///
/// Off Lambda (`AWS_LAMBDA_RUNTIME_API` is unset), with the feature `local`, it serves the same
/// handler over plain HTTP on 127.0.0.1:3000, or on the address in `REUSE_DB_LOCAL_ADDR`, until
/// Ctrl-C; then it closes every kept connection and returns.
///
/// # Errors
///
/// Those of `lambda_http::run`; off Lambda without the feature `local`, an
/// [`Error::OffLambda`](crate::Error::OffLambda) that says what to do; with it, an address that
/// cannot be listened on.
pub async fn run<S, R, E>(service: S) -> Result<(), Error>
where
    S: Service<Request, Response = R, Error = E> + Clone + Send + 'static,
    S::Future: Send + 'static,
    R: IntoResponse + Send + 'static,
    E: Debug + Into<Diagnostic> + Send + 'static,
{
    Runner::new().run(service).await
}

/// Serves a handler whose responses are streamed, in place of
/// `lambda_http::run_with_streaming_response`, as [`run`] serves others; and with the
/// [`Streamed`](crate::Streamed) layer.
///
/// A handler streams rows over a pool that it takes by value, or over a connection of its own, for
/// which it takes a [`Lease`](crate::Lease) by value.
///
/// # Errors
///
/// Those of [`run`].
pub async fn run_with_streaming_response<S, B, E>(service: S) -> Result<(), Error>
where
    S: Service<Request, Response = Response<B>, Error = E> + Clone + Send + 'static,
    S::Future: Send + 'static,
    E: Debug + Into<Diagnostic> + Send + 'static,
    B: Body + Unpin + Send + 'static,
    B::Data: Into<Bytes> + Send,
    B::Error: Into<Error> + Send + Debug,
{
    Runner::new().run_with_streaming_response(service).await
}

/// Serves a handler of other events than HTTP requests (`LambdaEvent<SqsEvent>`, for example), in
/// place of `lambda_runtime::run`, as [`run`] serves those; but an error stays an error, so that
/// Lambda tries again, and off Lambda there is no server.
///
/// ```no_run
/// # #[cfg(feature = "postgres")] mod postgres {
/// use lambda_http::{Error, LambdaEvent, service_fn};
/// use reuse_db::reuse_db;
/// use sqlx::PgConnection;
///
/// #[reuse_db]
/// async fn handler(event: LambdaEvent<Vec<String>>, db: &mut PgConnection) -> Result<u64, Error> {
///     let names = sqlx::query("insert into names select * from unnest($1)").bind(&event.payload);
///     Ok(names.execute(db).await?.rows_affected())
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<(), Error> {
///     reuse_db::run_events(service_fn(handler)).await
/// }
/// # }
/// ```
///
/// # Errors
///
/// Those of `lambda_runtime::run`; off Lambda an [`Error::OffLambda`](crate::Error::OffLambda) that
/// says what to do.
pub async fn run_events<A, S, R, B, T, D, E>(service: S) -> Result<(), Error>
where
    S: Service<LambdaEvent<A>, Response = R> + Clone + Send + 'static,
    S::Future: Future<Output = Result<R, S::Error>> + Send + 'static,
    S::Error: Into<Diagnostic> + Debug,
    A: for<'de> Deserialize<'de> + Send + 'static,
    R: IntoFunctionResponse<B, T> + Send + 'static,
    B: Serialize + Send + 'static,
    T: Stream<Item = Result<D, E>> + Unpin + Send + 'static,
    D: Into<Bytes> + Send + 'static,
    E: Into<Error> + Send + Debug + 'static,
{
    Runner::new().run_events(service).await
}
