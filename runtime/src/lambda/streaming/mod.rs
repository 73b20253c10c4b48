//! What a response that is streamed holds on to until its end.

mod body;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use lambda_http::http::Response;
use lambda_http::tower::{Layer, Service};
use lambda_http::{BoxFuture, Request};
use tokio::sync::oneshot;

pub use body::StreamedBody;

use crate::invocation::{self, INVOCATION, Invocation};
use crate::owed;

tokio::task_local! {
    /// What the response of this task, if it is streamed, will hold.
    static HELD: Arc<Held>;
}

/// To be done when the stream has ended; told whether that was its regular end.
type Settle = Box<dyn FnOnce(bool) + Send>;

/// Shared by the handler, until it has returned, and by the body of its response; settled when the
/// last of them is dropped.
struct Held {
    settles: Mutex<Vec<Settle>>,
    is_complete: AtomicBool,
    /// Which owes what is left to do.
    invocation: Option<Arc<Invocation>>,
    /// Dropped when all is settled.
    _end: oneshot::Sender<()>,
}

impl Held {
    /// And what tells its end.
    fn new() -> (Arc<Self>, oneshot::Receiver<()>) {
        let (sender, end) = oneshot::channel();
        let held = Self {
            settles: Mutex::default(),
            is_complete: AtomicBool::new(false),
            invocation: invocation::current(),
            _end: sender,
        };
        (Arc::new(held), end)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let is_complete = *self.is_complete.get_mut();
        let settles = self
            .settles
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let mut settle_all = || {
            for settle in settles.drain(..) {
                settle(is_complete);
            }
        };
        // It may be dropped in another task.
        match self.invocation.take() {
            Some(invocation) => INVOCATION.sync_scope(invocation, settle_all),
            None => settle_all(),
        }
    }
}

/// Settles now, or when the stream that the current handler returns has ended.
pub(crate) fn settle(settle: impl FnOnce(bool) + Send + 'static) {
    let mut settle = Some(settle);
    let _ = HELD.try_with(|held| {
        if let Some(settle) = settle.take() {
            let mut settles = held.settles.lock().unwrap_or_else(PoisonError::into_inner);
            settles.push(Box::new(settle));
        }
    });
    if let Some(settle) = settle {
        settle(true);
    }
}

/// A layer for a handler whose responses are streamed: a pool that it took by value or by reference
/// is settled when the stream has ended, and not when the handler returns; if the stream failed, or
/// its client left in the middle, as after a failure. While it is polled, the stream knows the
/// invocation's deadline.
///
/// [`run_with_streaming_response`](crate::run_with_streaming_response) adds it; those who build
/// their own runtime put it around their handler:
///
/// ```no_run
/// use lambda_http::tower::ServiceBuilder;
/// use lambda_http::{Body, Error, Request, Response};
///
/// # async fn handler(_: Request) -> Result<Response<Body>, Error> { Ok(Response::new(Body::Empty)) }
/// # async fn start() -> Result<(), Error> {
/// let service = ServiceBuilder::new().layer(reuse_db::Streamed).service_fn(handler);
/// lambda_http::streaming_runtime(service).layer(reuse_db::AfterResponse::new()).run().await
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Streamed;

impl<S> Layer<S> for Streamed {
    type Service = StreamedService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        StreamedService { inner }
    }
}

/// The service that [`Streamed`] makes.
#[derive(Clone, Debug)]
pub struct StreamedService<S> {
    inner: S,
}

impl<S, B> Service<Request> for StreamedService<S>
where
    S: Service<Request, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = Response<StreamedBody<B>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (held, end) = Held::new();
        let response = HELD.sync_scope(Arc::clone(&held), || self.inner.call(request));
        Box::pin(async move {
            let response = HELD.scope(Arc::clone(&held), response).await?;
            // lambda_runtime reads the stream in a task of its own, which may outlive the response if
            // its client has left: no freeze before that has been noticed.
            owed::spawn(async {
                let _ = end.await;
            });
            Ok(response.map(|body| StreamedBody::new(body, held)))
        })
    }
}

#[cfg(test)]
mod tests;
