//! The layer for handlers with streamed responses.

mod body;

use std::sync::Arc;
use std::task::{Context, Poll};

use lambda_http::http::Response;
use lambda_http::tower::{Layer, Service};
use lambda_http::{BoxFuture, Request};

pub use body::StreamingBody;

use super::call;
use crate::invocation::on_stream_end::StreamEnd;
use crate::invocation::{self, INVOCATION, background};

/// A layer for a handler with streamed responses.
///
/// A pool that the handler took by value or by reference is settled when the stream has ended, not
/// when the handler returns. If the stream failed, or its client disconnected, it is settled as
/// after a failure. The stream knows the invocation's deadline while it is polled.
///
/// [`run_with_streaming_response`](crate::run_with_streaming_response) adds it. If you build your
/// own runtime, put it around your handler:
///
/// ```no_run
/// use lambda_http::tower::ServiceBuilder;
/// use lambda_http::{Body, Error, Request, Response};
///
/// # async fn handler(_: Request) -> Result<Response<Body>, Error> { Ok(Response::new(Body::Empty)) }
/// # async fn start() -> Result<(), Error> {
/// let service = ServiceBuilder::new().layer(reuse_db::Streaming).service_fn(handler);
/// lambda_http::streaming_runtime(service).layer(reuse_db::AfterResponse::new()).run().await
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Streaming;

impl<S> Layer<S> for Streaming {
    type Service = StreamingService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        StreamingService { inner }
    }
}

/// The service of the layer [`Streaming`].
#[derive(Clone, Debug)]
pub struct StreamingService<S> {
    inner: S,
}

impl<S, B> Service<Request> for StreamingService<S>
where
    S: Service<Request, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = Response<StreamingBody<B>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let invocation = invocation::current_or_new();
        let (stream, end) = StreamEnd::new(Arc::clone(&invocation));
        let response = call::within(&invocation, &mut self.inner, request);
        Box::pin(async move {
            let response = INVOCATION.scope(Arc::clone(&invocation), response).await;
            stream.handler_returned();
            let response = response?;
            // lambda_runtime reads the stream in a task of its own. If the client has left, that
            // task may outlive the response, and the freeze must wait for it.
            INVOCATION.sync_scope(invocation, || {
                background::spawn(async {
                    let _ = end.await;
                });
            });
            Ok(response.map(|body| StreamingBody::new(body, stream)))
        })
    }
}

#[cfg(test)]
mod tests;
