//! Running a handler, with settings.

use std::fmt::Debug;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;
use http_body::Body;
use lambda_http::http::Response;
use lambda_http::lambda_runtime::layers::TracingLayer;
use lambda_http::lambda_runtime::{Diagnostic, IntoFunctionResponse, LambdaInvocation, Runtime};
use lambda_http::tower::util::Either;
use lambda_http::tower::{Layer, ServiceExt as _};
use lambda_http::{Error, IntoResponse, LambdaEvent, Request, Service, service_fn};
use serde::{Deserialize, Serialize};

use crate::{AfterResponse, ServiceUnavailable, SnapStart, Streamed, sandbox, until_shutdown};

/// [`run`](crate::run), [`run_with_streaming_response`](crate::run_with_streaming_response) and
/// [`run_events`](crate::run_events) with settings.
///
/// ```no_run
/// use lambda_http::{Body, Error, Request, Response, service_fn};
/// use reuse_db::{AfterResponse, Runner};
///
/// # async fn handler(_: Request) -> Result<Response<Body>, Error> { Ok(Response::new(Body::Empty)) }
/// #[tokio::main]
/// async fn main() -> Result<(), Error> {
///     Runner::new()
///         .after_response(AfterResponse::new().embedded_metrics("shop"))
///         .service_unavailable(|error| Response::new(format!("come back later: {:?}", error.kind())))
///         .run(service_fn(handler))
///         .await
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Runner {
    after_response: AfterResponse,
    service_unavailable: Option<ServiceUnavailable>,
    closes_at_shutdown: bool,
}

impl Runner {
    /// The defaults, which are those of [`run`](crate::run).
    pub fn new() -> Self {
        Self {
            after_response: AfterResponse::new(),
            service_unavailable: Some(ServiceUnavailable::new()),
            closes_at_shutdown: true,
        }
    }

    /// What is done after a response. Default: [`AfterResponse::new`].
    pub fn after_response(mut self, layer: AfterResponse) -> Self {
        self.after_response = layer;
        self
    }

    /// The response where no connection could be had, in place of a 503 with `Retry-After: 1`: see
    /// [`ServiceUnavailable::with`].
    pub fn service_unavailable(
        mut self,
        response: impl Fn(&crate::Error) -> Response<String> + Send + Sync + 'static,
    ) -> Self {
        self.service_unavailable = Some(ServiceUnavailable::with(response));
        self
    }

    /// Leaves the error of a handler that got no connection as it is: a function error.
    pub fn without_service_unavailable(mut self) -> Self {
        self.service_unavailable = None;
        self
    }

    /// Leaves SIGTERM alone, and registers no extension: for those who have a graceful shutdown of
    /// their own, and call [`shutdown`](crate::shutdown) in it. Off Lambda it changes nothing.
    pub fn without_shutdown(mut self) -> Self {
        self.closes_at_shutdown = false;
        self
    }

    /// See [`run`](crate::run).
    ///
    /// # Errors
    ///
    /// Those of [`run`](crate::run).
    pub async fn run<S, R, E>(self, service: S) -> Result<(), Error>
    where
        S: Service<Request, Response = R, Error = E> + Clone + Send + 'static,
        S::Future: Send + 'static,
        R: IntoResponse + Send + 'static,
        E: Debug + Into<Diagnostic> + Send + 'static,
    {
        // lambda_http asks a response to be `Sync`, which axum's is not, and turns it into this one
        // in any case. The combinators of tower would turn the error into a `Diagnostic` as well,
        // the only type that `E` is known to be `Into`, and so into its text.
        let service = service_fn(move |request| {
            let response = service.clone().oneshot(request);
            async move {
                match response.await {
                    Ok(response) => Ok(response.into_response().await),
                    Err(error) => Err(error),
                }
            }
        });
        let service = self.http(service);
        if sandbox::is_lambda() {
            sandbox::expect_lambda()?;
            return self.serve(lambda_http::runtime_concurrent(service)).await;
        }
        off_lambda(service).await
    }

    /// See [`run_with_streaming_response`](crate::run_with_streaming_response).
    ///
    /// # Errors
    ///
    /// Those of [`run`](crate::run).
    pub async fn run_with_streaming_response<S, B, E>(self, service: S) -> Result<(), Error>
    where
        S: Service<Request, Response = Response<B>, Error = E> + Clone + Send + 'static,
        S::Future: Send + 'static,
        E: Debug + Into<Diagnostic> + Send + 'static,
        B: Body + Unpin + Send + 'static,
        B::Data: Into<Bytes> + Send,
        B::Error: Into<Error> + Send + Debug,
    {
        let service = self.http(Streamed.layer(service));
        if sandbox::is_lambda() {
            sandbox::expect_lambda()?;
            let runtime = lambda_http::streaming_runtime_concurrent(service);
            return self.serve(runtime).await;
        }
        off_lambda(service).await
    }

    /// See [`run_events`](crate::run_events).
    ///
    /// # Errors
    ///
    /// Those of [`run_events`](crate::run_events).
    pub async fn run_events<A, S, R, B, T, D, E>(self, service: S) -> Result<(), Error>
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
        if !sandbox::is_lambda() {
            return Err(crate::Error::OffLambda {
                advice: "this is not AWS Lambda (`AWS_LAMBDA_RUNTIME_API` is not set): run the function with `cargo lambda watch`, \
                         and send it an event with `cargo lambda invoke`",
            }
            .into());
        }
        sandbox::expect_lambda()?;
        self.serve(Runtime::new(service)).await
    }

    fn http<S>(&self, service: S) -> Either<<ServiceUnavailable as Layer<S>>::Service, S> {
        let Some(layer) = self.service_unavailable.clone() else {
            return Either::Right(service);
        };
        #[cfg(feature = "local")]
        let layer = if sandbox::is_lambda() {
            layer
        } else {
            layer.told()
        };
        Either::Left(layer.layer(service))
    }

    async fn serve<S>(self, runtime: Runtime<S>) -> Result<(), Error>
    where
        S: Service<LambdaInvocation, Response = (), Error = Error> + Clone + Send + 'static,
        S::Future: Send,
    {
        let runtime = runtime
            .layer(TracingLayer::new())
            .layer(self.after_response)
            .register_snapstart_resource(Arc::new(SnapStart))
            .run_concurrent();
        if self.closes_at_shutdown {
            until_shutdown(runtime).await
        } else {
            runtime.await
        }
    }
}

impl Default for Runner {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "local")]
use crate::local::serve as off_lambda;

#[cfg(not(feature = "local"))]
async fn off_lambda<S>(_: S) -> Result<(), Error> {
    Err(crate::Error::OffLambda {
        advice: "this is not AWS Lambda (`AWS_LAMBDA_RUNTIME_API` is not set): run the function with `cargo lambda watch`, \
                 or enable the feature `local` of `reuse-db` to serve it on 127.0.0.1:3000",
    }
    .into())
}

#[cfg(all(test, not(feature = "local")))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn off_lambda_without_the_feature_local_it_says_what_to_do() {
        let handler = |_: Request| async { Ok::<_, Error>("hello") };
        let error = crate::run(service_fn(handler))
            .await
            .expect_err("this is not Lambda")
            .to_string();
        assert!(
            error.contains("`cargo lambda watch`") && error.contains("the feature `local`"),
            "{error}"
        );
    }
}
