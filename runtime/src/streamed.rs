//! What a response that is streamed holds on to until its end.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};
use lambda_http::http::Response;
use lambda_http::tower::{Layer, Service};
use lambda_http::{BoxFuture, Request};
use tokio::sync::oneshot;

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
            Ok(response.map(|body| StreamedBody {
                part: Part::Streamed(body),
                held: Some(held),
            }))
        })
    }
}

/// The body of a response that [`Streamed`] makes: the handler's, and what is settled at its end.
pub struct StreamedBody<B> {
    /// Dropped first: it may hold a connection of what is settled after it.
    part: Part<B>,
    held: Option<Arc<Held>>,
}

enum Part<B> {
    Streamed(B),
    /// In place of what the handler would have answered.
    Whole(Option<Bytes>),
}

impl<B> StreamedBody<B> {
    fn is_complete(&self) {
        if let Some(held) = &self.held {
            held.is_complete.store(true, Ordering::Relaxed);
        }
    }
}

impl<B> From<String> for StreamedBody<B> {
    fn from(text: String) -> Self {
        Self {
            part: Part::Whole(Some(text.into())),
            held: None,
        }
    }
}

impl<B> Body for StreamedBody<B>
where
    B: Body + Unpin,
    B::Data: Into<Bytes>,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn StdError + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        let invocation = this.held.as_ref().and_then(|held| held.invocation.as_ref());
        let frame = match (&mut this.part, invocation) {
            (Part::Whole(text), _) => {
                return Poll::Ready(text.take().map(|text| Ok(Frame::data(text))));
            }
            (Part::Streamed(body), None) => Pin::new(body).poll_frame(cx),
            (Part::Streamed(body), Some(invocation)) => {
                INVOCATION.sync_scope(Arc::clone(invocation), || Pin::new(body).poll_frame(cx))
            }
        };
        let frame = ready!(frame);
        if frame.is_none() {
            this.is_complete();
        }
        Poll::Ready(frame.map(|frame| match frame {
            Ok(frame) => Ok(frame.map_data(Into::into)),
            Err(error) => Err(error.into()),
        }))
    }

    fn is_end_stream(&self) -> bool {
        let is_end = match &self.part {
            Part::Streamed(body) => body.is_end_stream(),
            Part::Whole(text) => text.is_none(),
        };
        if is_end {
            // It may not be asked for more.
            self.is_complete();
        }
        is_end
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match &self.part {
            Part::Streamed(body) => body.size_hint(),
            Part::Whole(text) => {
                let bytes = text.as_ref().map_or(0, Bytes::len);
                http_body::SizeHint::with_exact(bytes as u64)
            }
        }
    }
}

impl<B> std::fmt::Debug for StreamedBody<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamedBody").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is settled, told whether the stream was complete and which invocation it is of.
    fn settled(end: impl FnOnce(Arc<Held>)) -> Vec<(bool, Option<u64>)> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (held, _end) = INVOCATION.sync_scope(Invocation::new(None), Held::new);
        for _ in 0..2 {
            let seen = Arc::clone(&seen);
            let record = move |is_complete| {
                let mut seen = seen.lock().expect("nobody panics with it");
                seen.push((is_complete, invocation::current_id()));
            };
            HELD.sync_scope(Arc::clone(&held), || settle(record));
        }
        let before = seen.lock().expect("nobody panics with it").len();
        assert_eq!(before, 0, "the stream has not ended");
        end(held);
        let mut seen = seen.lock().expect("nobody panics with it");
        std::mem::take(&mut seen)
    }

    fn body(held: Arc<Held>) -> StreamedBody<String> {
        StreamedBody {
            part: Part::Streamed("rows".to_owned()),
            held: Some(held),
        }
    }

    #[test]
    fn a_body_that_is_read_to_its_end_is_complete_and_one_that_is_left_is_not() {
        let read = settled(|held| {
            let mut body = body(held);
            let mut cx = Context::from_waker(std::task::Waker::noop());
            let mut next = || Pin::new(&mut body).poll_frame(&mut cx);
            assert!(matches!(next(), Poll::Ready(Some(Ok(_)))));
            assert!(matches!(next(), Poll::Ready(None)));
        });
        assert!(
            matches!(read[..], [(true, Some(_)), (true, Some(_))]),
            "{read:?}"
        );
        let left = settled(|held| drop(body(held)));
        assert!(
            matches!(left[..], [(false, Some(_)), (false, Some(_))]),
            "{left:?}"
        );
    }

    #[test]
    fn without_a_stream_it_is_settled_at_once() {
        let (sender, receiver) = std::sync::mpsc::channel();
        settle(move |is_complete| sender.send(is_complete).unwrap_or(()));
        assert_eq!(receiver.try_recv(), Ok(true));
    }
}
