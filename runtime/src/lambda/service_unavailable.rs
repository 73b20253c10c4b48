//! The layer that makes a 503 of an invocation without a connection. `Error::to_response` in
//! `response/http.rs` builds the response.

use std::sync::Arc;
use std::task::{Context, Poll};

use lambda_http::http::Response;
use lambda_http::tower::{Layer, Service};
use lambda_http::{BoxFuture, Request};

use super::call;
use crate::error::Error;
use crate::invocation::{self, INVOCATION, failed_leases};

/// A layer for a handler of HTTP requests that makes a response of a transient [`Error`].
///
/// An error of the kind [`Unavailable`](crate::ErrorKind::Unavailable) or
/// [`Saturated`](crate::ErrorKind::Saturated), or one that wraps it, becomes a response: by default
/// a 503 with `Retry-After: 1` and a small JSON body. Otherwise it would be a function error, and
/// API Gateway makes a 502 of those. The time-out of a sqlx pool in an annotated handler becomes a
/// response as well, and so does the pool's refused connection. Other errors pass unchanged.
///
/// The layer finds the error in any wrapper that keeps it: a box, `anyhow`, an `enum` of your own.
/// A handler that keeps only its text loses the 503. The response does not contain the cause; the
/// log does, in the event `unavailable`.
///
/// [`run`](crate::run) adds it. If you build your own runtime, put it around your handler:
///
/// ```no_run
/// use lambda_http::tower::ServiceBuilder;
/// use lambda_http::{Body, Error, Request, Response};
///
/// # async fn handler(_: Request) -> Result<Response<Body>, Error> { Ok(Response::new(Body::Empty)) }
/// # async fn start() -> Result<(), Error> {
/// let service = ServiceBuilder::new().layer(reuse_db::ServiceUnavailable::new()).service_fn(handler);
/// lambda_http::runtime(service).layer(reuse_db::AfterResponse::new()).run().await
/// # }
/// ```
#[derive(Clone)]
pub struct ServiceUnavailable {
    response: Arc<Respond>,
}

type Respond = dyn Fn(&Error) -> Response<String> + Send + Sync;

impl ServiceUnavailable {
    /// Creates a layer that responds with a 503.
    #[must_use]
    pub fn new() -> Self {
        Self::with(|error| error.to_response().unwrap_or_default())
    }

    /// Creates a layer that responds with what `response` returns. The error contains its cause as
    /// text only.
    #[must_use]
    pub fn with(response: impl Fn(&Error) -> Response<String> + Send + Sync + 'static) -> Self {
        Self {
            response: Arc::new(response),
        }
    }
}

#[cfg(feature = "local")]
impl ServiceUnavailable {
    /// Also prints the cause to the standard error. Outside Lambda a developer may have no
    /// subscriber.
    pub(crate) fn also_to_stderr(self) -> Self {
        let response = self.response;
        Self::with(move |error| {
            eprintln!("the handler got no connection: {error}");
            response(error)
        })
    }
}

impl Default for ServiceUnavailable {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for ServiceUnavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceUnavailable").finish_non_exhaustive()
    }
}

impl<S> Layer<S> for ServiceUnavailable {
    type Service = ServiceUnavailableService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ServiceUnavailableService {
            inner,
            layer: self.clone(),
        }
    }
}

/// The service of the layer [`ServiceUnavailable`].
#[derive(Clone, Debug)]
pub struct ServiceUnavailableService<S> {
    inner: S,
    layer: ServiceUnavailable,
}

impl<S, B> Service<Request> for ServiceUnavailableService<S>
where
    S: Service<Request, Response = Response<B>>,
    S::Future: Send + 'static,
    B: From<String>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<B>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // Without the `AfterResponse` layer there is no invocation yet.
        let invocation = invocation::current_or_new();
        let response = call::within(&invocation, &mut self.inner, request);
        let layer = self.layer.clone();
        Box::pin(INVOCATION.scope(invocation, async move {
            let error = match response.await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            match failed_leases::current() {
                Some(cause) => Ok((layer.response)(&cause).map(B::from)),
                None => Err(error),
            }
        }))
    }
}
