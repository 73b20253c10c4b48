//! A stream of a client that this crate reads along, and uses itself between the client's requests.
//!
//! So the crate knows the state of the session without a round trip. And its own requests are the
//! same for each client.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::{self, Header, Message};
use tokio::io::{self, AsyncRead, AsyncWrite, ReadBuf};

use super::answer::PgError;
use super::conversation::{Conversation, Status};
use crate::drivers::stream::Stream;
use crate::sync::Mutex;

/// The number of bytes that a client reads at most in one poll from outside. A server may send
/// without a pause.
const ALLOWANCE: usize = 1 << 20;

/// A stream that a client and this crate use in turns. Clones share it.
#[derive(Clone)]
pub(super) struct Tap(Arc<Mutex<Line>>);

struct Line {
    /// `None` while it is taken.
    stream: Option<Box<dyn Stream>>,
    /// `None` until the sign-in is over.
    conversation: Option<Conversation>,
    /// `true` while this crate uses the stream. The client waits, without a waker.
    is_ours: bool,
    /// `true` once the client has found nothing to read.
    has_read_all: bool,
    /// The number of bytes that the client may still read, in a poll from outside.
    allowance: Option<usize>,
    /// The bytes for the client that this crate has read.
    unread: BytesMut,
    /// The first byte that the server has sent.
    first_byte: Option<u8>,
}

impl Tap {
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self(Arc::new(Mutex::new(Line {
            stream: Some(stream),
            conversation: None,
            is_ours: false,
            has_read_all: false,
            allowance: None,
            unread: BytesMut::new(),
            first_byte: None,
        })))
    }

    /// Takes the stream out, until [`put`](Self::put).
    pub(super) fn take(&self) -> Option<Box<dyn Stream>> {
        self.0.lock().stream.take()
    }

    /// Puts a stream in place of the one that was taken.
    pub(super) fn put(&self, stream: Box<dyn Stream>) {
        self.0.lock().stream = Some(stream);
    }

    /// Returns the first byte that the server has sent.
    pub(super) fn first_byte(&self) -> Option<u8> {
        self.0.lock().first_byte
    }

    /// Begins to follow the conversation. The sign-in is over, and nothing is unanswered.
    pub(super) fn begin(&self) {
        self.0.lock().conversation = Some(Conversation::default());
    }

    /// Returns what `look` finds in the conversation.
    pub(super) fn conversation<T>(&self, look: impl FnOnce(&mut Conversation) -> T) -> T {
        look(self.0.lock().conversation.get_or_insert_default())
    }

    /// Returns `true` if the client reads what has arrived when `poll` polls it. A client that
    /// still holds an answer, whose receiver does not read, reads nothing.
    pub(super) fn reads_all(&self, poll: impl FnOnce()) -> bool {
        {
            let mut line = self.0.lock();
            line.has_read_all = false;
            line.allowance = Some(ALLOWANCE);
        }
        poll();
        let mut line = self.0.lock();
        line.allowance = None;
        line.has_read_all
    }

    /// Returns `true` while this crate uses the stream, and after such a use that was cut off.
    pub(super) fn is_ours(&self) -> bool {
        self.0.lock().is_ours
    }

    /// Takes the stream for a request of this crate. Returns `false` if the client has sent or
    /// read something meanwhile.
    pub(super) fn claim(&self) -> bool {
        let mut line = self.0.lock();
        let is_unfinished = line.conversation.as_ref();
        line.is_ours = !is_unfinished.is_some_and(Conversation::is_unfinished);
        line.is_ours
    }

    /// Sends a request of this crate, and reads its answer. The stream must be claimed. Returns the
    /// first column of each row, which is text, and leaves NULL out.
    ///
    /// The client must be polled once afterwards, because it waits without a waker.
    ///
    /// # Errors
    ///
    /// Returns the server's first error after the whole answer. After any other error, or if the
    /// future is dropped, the stream is of no further use.
    pub(super) async fn exchange(&self, request: &[u8]) -> Result<Vec<String>, PgError> {
        self.send(request).await?;
        let mut buffer = BytesMut::new();
        let (mut texts, mut error) = (Vec::new(), None);
        loop {
            let message = match self.next_message(&mut buffer).await {
                Ok(message) => message,
                // The server answers with an error and hangs up.
                Err(end) => return Err(error.unwrap_or(end)),
            };
            match message {
                Message::DataRow(row) => texts.extend(first_column(&row)?),
                Message::ErrorResponse(body) => {
                    error = error.or(Some(PgError::of_answer(&body)?));
                }
                Message::ReadyForQuery(body) => {
                    let status = Status::of(&[body.status()]);
                    self.conversation(|conversation| conversation.set_status(status));
                    break;
                }
                Message::CopyInResponse(_) => {
                    let problem = "COPY FROM STDIN needs data, and there is none";
                    return Err(PgError::Protocol(problem.to_owned()));
                }
                _ => {}
            }
        }
        let mut line = self.0.lock();
        line.unread.extend_from_slice(&buffer);
        line.is_ours = false;
        error.map_or(Ok(texts), Err)
    }

    async fn send(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = poll_fn(|cx| self.0.lock().stream()?.poll_write(cx, bytes)).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[written..];
        }
        poll_fn(|cx| self.0.lock().stream()?.poll_flush(cx)).await
    }

    /// Reads the next message that belongs to an answer. The others are for the client.
    async fn next_message(&self, buffer: &mut BytesMut) -> Result<Message, PgError> {
        loop {
            if let Some(header) = Header::parse(buffer)? {
                let length = usize::try_from(header.len()).unwrap_or(usize::MAX);
                let is_whole = buffer.len() > length;
                match header.tag() {
                    backend::NOTIFICATION_RESPONSE_TAG
                    | backend::NOTICE_RESPONSE_TAG
                    | backend::PARAMETER_STATUS_TAG
                        if is_whole =>
                    {
                        let message = buffer.split_to(length + 1);
                        self.0.lock().unread.extend_from_slice(&message);
                        continue;
                    }
                    _ if is_whole => {
                        if let Some(message) = Message::parse(buffer)? {
                            return Ok(message);
                        }
                    }
                    _ => {}
                }
            }
            let read = poll_fn(|cx| self.0.lock().poll_read_into(cx, buffer)).await?;
            if read == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
    }
}

/// Returns the text of a row's first column, or `None` for NULL or a row without columns.
fn first_column(row: &backend::DataRowBody) -> Result<Option<String>, PgError> {
    let range = row.ranges().next()?.flatten();
    let bytes = range.and_then(|range| row.buffer().get(range));
    Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
}

impl Line {
    fn stream(&mut self) -> io::Result<Pin<&mut Box<dyn Stream>>> {
        let stream = self.stream.as_mut();
        stream
            .map(Pin::new)
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Reads bytes for this crate.
    fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        let mut space = [0; 4096];
        let mut buffer = ReadBuf::new(&mut space);
        ready!(self.stream()?.poll_read(cx, &mut buffer))?;
        to.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }

    fn received(&mut self, bytes: &[u8]) {
        if self.first_byte.is_none() {
            self.first_byte = bytes.first().copied();
        }
        if let Some(conversation) = &mut self.conversation {
            conversation.received(bytes);
        }
    }
}

/// The client's side.
impl AsyncRead for Tap {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut line = self.0.lock();
        if line.is_ours {
            return Poll::Pending;
        }
        if line.allowance == Some(0) {
            // It goes on in its own task.
            line.has_read_all = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        if line.unread.is_empty() {
            let read = line.stream()?.poll_read(cx, buffer);
            line.has_read_all |= read.is_pending();
            ready!(read)?;
        } else {
            let part = line.unread.len().min(buffer.remaining());
            buffer.put_slice(&line.unread[..part]);
            line.unread.advance(part);
        }
        let read = buffer.filled().len() - before;
        line.allowance = line
            .allowance
            .map(|allowance| allowance.saturating_sub(read));
        line.received(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut line = self.0.lock();
        if line.is_ours {
            return Poll::Pending;
        }
        let written = ready!(line.stream()?.poll_write(cx, bytes))?;
        if let Some(conversation) = &mut line.conversation {
            conversation.sent(&bytes[..written]);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().stream()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().stream()?.poll_shutdown(cx)
    }
}
