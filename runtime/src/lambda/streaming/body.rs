//! The body that settles what it holds when it ends.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};

use super::Held;
use crate::BoxError;
use crate::invocation::INVOCATION;

/// The body of a response that [`Streamed`](crate::Streamed) makes: the handler's, and what is settled at its end.
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
    pub(super) fn new(body: B, held: Arc<Held>) -> Self {
        Self {
            part: Part::Streamed(body),
            held: Some(held),
        }
    }

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
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

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
