//! The body of a streamed response, which settles leases at its end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};

use crate::error::BoxError;
use crate::invocation::INVOCATION;
use crate::invocation::on_stream_end::StreamEnd;

/// The body of a response of the layer [`Streaming`](crate::Streaming): the handler's body, and the
/// callbacks for its end.
pub struct StreamingBody<B> {
    /// Dropped first: it may hold a connection of a pool that is settled after it.
    part: Part<B>,
    stream: Option<Arc<StreamEnd>>,
}

enum Part<B> {
    Streaming(B),
    /// A short response in place of the handler's.
    Whole(Option<Bytes>),
}

impl<B> StreamingBody<B> {
    pub(super) fn new(body: B, stream: Arc<StreamEnd>) -> Self {
        Self {
            part: Part::Streaming(body),
            stream: Some(stream),
        }
    }

    fn complete(&self) {
        if let Some(stream) = &self.stream {
            stream.complete();
        }
    }
}

impl<B> From<String> for StreamingBody<B> {
    fn from(text: String) -> Self {
        Self {
            part: Part::Whole(Some(text.into())),
            stream: None,
        }
    }
}

impl<B> Body for StreamingBody<B>
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
        let invocation = this.stream.as_ref().map(|stream| &stream.invocation);
        let frame = match (&mut this.part, invocation) {
            (Part::Whole(text), _) => {
                return Poll::Ready(text.take().map(|text| Ok(Frame::data(text))));
            }
            (Part::Streaming(body), None) => Pin::new(body).poll_frame(cx),
            (Part::Streaming(body), Some(invocation)) => {
                INVOCATION.sync_scope(Arc::clone(invocation), || Pin::new(body).poll_frame(cx))
            }
        };
        let frame = ready!(frame);
        if frame.is_none() {
            this.complete();
        }
        Poll::Ready(frame.map(|frame| match frame {
            Ok(frame) => Ok(frame.map_data(Into::into)),
            Err(error) => Err(error.into()),
        }))
    }

    fn is_end_stream(&self) -> bool {
        let is_end = match &self.part {
            Part::Streaming(body) => body.is_end_stream(),
            Part::Whole(text) => text.is_none(),
        };
        if is_end {
            // The caller may not poll again.
            self.complete();
        }
        is_end
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match &self.part {
            Part::Streaming(body) => body.size_hint(),
            Part::Whole(text) => {
                let bytes = text.as_ref().map_or(0, Bytes::len);
                http_body::SizeHint::with_exact(bytes as u64)
            }
        }
    }
}

impl<B> std::fmt::Debug for StreamingBody<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamingBody").finish_non_exhaustive()
    }
}
