//! A 503 in place of a function error.

use std::sync::Arc;
use std::task::{Context, Poll};

use lambda_http::http::Response;
use lambda_http::tower::{Layer, Service};
use lambda_http::{BoxFuture, Request};

use crate::invocation::{self, INVOCATION, Invocation};
use crate::{Error, refuse};

/// A layer for a handler of HTTP requests: an error that is or wraps an [`Error`] of the kinds
/// [`Unavailable`](crate::Kind::Unavailable) and [`Saturated`](crate::Kind::Saturated) becomes a
/// response, by default a 503 with `Retry-After: 1` and a small JSON body. As an error it would be
/// a function error, of which API Gateway makes a 502. Any other error passes as it is.
///
/// The error is found in whatever type it is wrapped in, as long as it is kept and not only its
/// text: a box, `anyhow`, an `enum` of the handler's. The cause goes to the log, not to the client.
///
/// [`run`](crate::run) adds it; those who build their own runtime put it around their handler:
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
    /// A layer that answers 503.
    #[must_use]
    pub fn new() -> Self {
        Self::with(|_| refuse::service_unavailable())
    }

    /// A layer that answers what `response` makes of the error, whose cause is there as text only.
    #[must_use]
    pub fn with(response: impl Fn(&Error) -> Response<String> + Send + Sync + 'static) -> Self {
        Self {
            response: Arc::new(response),
        }
    }
}

#[cfg(feature = "local")]
impl ServiceUnavailable {
    /// Tells the cause on the standard error, too: off Lambda somebody is developing, perhaps without
    /// a subscriber.
    pub(crate) fn told(self) -> Self {
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

/// The service that [`ServiceUnavailable`] makes.
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
        // Without the `AfterResponse` layer nobody else remembers what was refused.
        let invocation = invocation::current().unwrap_or_else(|| Invocation::new(None));
        let response = INVOCATION.sync_scope(Arc::clone(&invocation), || self.inner.call(request));
        let layer = self.layer.clone();
        Box::pin(INVOCATION.scope(invocation, async move {
            let error = match response.await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            match invocation::refusal() {
                Some(refusal) => {
                    tracing::error!(target: "reuse_db", error = %refusal, "answered as unavailable");
                    Ok((layer.response)(&refusal).map(B::from))
                }
                None => Err(error),
            }
        }))
    }
}
