//! The state of a conversation with a server, as the bytes between the two show it.
//!
//! redis-rs does not report what is unfinished: an answer that nobody waits for, or a MULTI. Nor
//! does it report an error that a handler has ignored.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio::io::{self, AsyncRead, AsyncWrite, ReadBuf};

use super::command::Command;
use super::frames::Frames;
use crate::sync::Mutex;

/// The number of bytes that the client reads at most in one poll from outside. In some modes the
/// server sends without a pause.
const ALLOWANCE: usize = 1 << 20;

/// A conversation with a server. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Conversation(Arc<Mutex<State>>);

struct State {
    sent: Frames,
    received: Frames,
    /// The requests without an answer, the oldest first.
    unanswered: VecDeque<Command>,
    /// `true` after MULTI.
    is_queueing: bool,
    /// `true` after WATCH.
    is_watching: bool,
    /// `true` once a request may have changed the session.
    has_changed_session: bool,
    /// The reason for which no further handler may use the connection.
    defect: Option<&'static str>,
    /// `true` until the handlers' part begins.
    signs_in: bool,
    /// The error that the server has answered during the sign-in.
    error: Option<String>,
    /// The number of bytes that the client may still read, in a poll from outside.
    allowance: Option<usize>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            sent: Frames::default(),
            received: Frames::default(),
            unanswered: VecDeque::new(),
            is_queueing: false,
            is_watching: false,
            has_changed_session: false,
            defect: None,
            signs_in: true,
            error: None,
            allowance: None,
        }
    }
}

// The last request may hold a password.
impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation").finish_non_exhaustive()
    }
}

impl Conversation {
    /// Returns `true` unless each request has its answer.
    pub(super) fn is_unfinished(&self) -> bool {
        let state = self.0.lock();
        !state.unanswered.is_empty() || !state.sent.is_complete() || !state.received.is_complete()
    }

    /// Returns `true` while a command waits at the server for something to happen.
    pub(super) fn is_blocked(&self) -> bool {
        self.0.lock().unanswered.contains(&Command::Blocking)
    }

    /// Returns the command that ends what MULTI or WATCH has begun, if something is open.
    pub(super) fn end_of_transaction(&self) -> Option<&'static str> {
        let state = self.0.lock();
        match (state.is_queueing, state.is_watching) {
            (true, _) => Some("DISCARD"),
            (false, true) => Some("UNWATCH"),
            (false, false) => None,
        }
    }

    /// Returns `true` if a request since [`begin`](Self::begin) may have changed what belongs to
    /// the session.
    pub(super) fn has_changed_session(&self) -> bool {
        self.0.lock().has_changed_session
    }

    /// Returns the reason for which no further handler may use the connection.
    pub(super) fn defect(&self) -> Option<&'static str> {
        self.0.lock().defect
    }

    /// Takes the error that the server has answered during the sign-in.
    pub(super) fn take_error(&self) -> Option<String> {
        self.0.lock().error.take()
    }

    /// Forgets the findings of the sign-in. The handlers' part begins.
    pub(super) fn begin(&self) {
        let mut state = self.0.lock();
        state.has_changed_session = false;
        state.defect = None;
        state.signs_in = false;
        state.error = None;
    }

    /// Limits the bytes that the client reads while `poll` polls it from outside.
    pub(super) fn reading_little<T>(&self, poll: impl FnOnce() -> T) -> T {
        self.0.lock().allowance = Some(ALLOWANCE);
        let polled = poll();
        self.0.lock().allowance = None;
        polled
    }

    fn sent(&self, bytes: &[u8]) {
        let State {
            sent,
            unanswered,
            has_changed_session,
            defect,
            ..
        } = &mut *self.0.lock();
        sent.read(bytes, |frame| {
            let command = Command::of(frame.text);
            unanswered.push_back(command);
            match command {
                Command::Session => *has_changed_session = true,
                Command::Last => *defect = Some("a handler has changed the mode of its session"),
                _ => {}
            }
        });
    }

    fn received(&self, bytes: &[u8]) {
        let state = &mut *self.0.lock();
        let left = |allowance: usize| allowance.saturating_sub(bytes.len());
        state.allowance = state.allowance.map(left);
        let State {
            received,
            unanswered,
            is_queueing,
            is_watching,
            defect,
            signs_in,
            error,
            ..
        } = state;
        received.read(bytes, |frame| {
            if frame.is_push() {
                return;
            }
            let is_error = frame.is_error();
            if is_error {
                let text = String::from_utf8_lossy(frame.text);
                let is_unauthorized = text.starts_with("NOAUTH ");
                if is_unauthorized {
                    *defect = Some("its sign-in is gone");
                }
                // After a rejected sign-in, the other requests get NOAUTH.
                if *signs_in && (error.is_none() || !is_unauthorized) {
                    *error = Some(text.into_owned());
                }
            }
            // A full server answers before the first request.
            let Some(command) = unanswered.pop_front() else {
                *defect = Some("the server has answered without a request");
                return;
            };
            if frame.is_read_only {
                *defect = Some("the server accepts no writes");
            }
            match command {
                Command::Multi if !is_error => *is_queueing = true,
                Command::Watch if !is_error => *is_watching = true,
                // The server queues an UNWATCH after MULTI.
                Command::Unwatch if !is_error => *is_watching &= *is_queueing,
                Command::Discard if !is_error => (*is_queueing, *is_watching) = (false, false),
                // Any other error refuses it: there is no transaction, or the right is missing.
                Command::Exec if !is_error || frame.text.starts_with(b"EXECABORT ") => {
                    (*is_queueing, *is_watching) = (false, false);
                }
                _ => {}
            }
        });
    }
}

pin_project! {
    /// A stream that reports its bytes to a conversation.
    pub(super) struct Observed<S> {
        #[pin]
        stream: S,
        conversation: Conversation,
    }
}

impl<S> Observed<S> {
    pub(super) fn new(stream: S, conversation: Conversation) -> Self {
        Self {
            stream,
            conversation,
        }
    }
}

impl<S: AsyncRead> AsyncRead for Observed<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.project();
        if this.conversation.0.lock().allowance == Some(0) {
            // It goes on in its own task.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        ready!(this.stream.poll_read(cx, buffer))?;
        this.conversation.received(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite> AsyncWrite for Observed<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        let written = ready!(this.stream.poll_write(cx, bytes))?;
        this.conversation.sent(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a conversation in which each request has its answer. Both are lines of RESP.
    fn conversation(exchange: &[(&str, &str)]) -> Conversation {
        let conversation = Conversation::default();
        for (request, answer) in exchange {
            conversation.sent(packed(request).as_bytes());
            conversation.received(format!("{answer}\r\n").as_bytes());
        }
        conversation
    }

    fn packed(request: &str) -> String {
        let words: Vec<_> = request.split(' ').collect();
        let bulk = |word: &&str| format!("${}\r\n{word}\r\n", word.len());
        let bulks: String = words.iter().map(bulk).collect();
        format!("*{}\r\n{bulks}", words.len())
    }

    #[test]
    fn a_transaction_is_open_until_the_server_says_that_it_has_ended() {
        const QUEUED: &str = "+QUEUED";
        for (exchange, end) in [
            (&[("multi", "+OK")][..], Some("DISCARD")),
            (&[("MULTI", "-NOPERM no")], None),
            (
                &[("MULTI", "+OK"), ("SET a 1", QUEUED), ("EXEC", "*1\r\n+OK")],
                None,
            ),
            (&[("MULTI", "+OK"), ("EXEC", "-EXECABORT no")], None),
            (&[("MULTI", "+OK"), ("EXEC", "-NOPERM no")], Some("DISCARD")),
            (
                &[("MULTI", "+OK"), ("DISCARD", "-NOPERM no")],
                Some("DISCARD"),
            ),
            (&[("MULTI", "+OK"), ("DISCARD", "+OK")], None),
            (&[("WATCH a", "+OK")], Some("UNWATCH")),
            (
                &[("WATCH a", "+OK"), ("EXEC", "-ERR EXEC without MULTI")],
                Some("UNWATCH"),
            ),
            (
                &[("WATCH a", "+OK"), ("UNWATCH", "-NOPERM no")],
                Some("UNWATCH"),
            ),
            (&[("WATCH a", "+OK"), ("UNWATCH", "+OK")], None),
            (
                &[("WATCH a", "+OK"), ("MULTI", "+OK"), ("UNWATCH", QUEUED)],
                Some("DISCARD"),
            ),
            (
                &[("WATCH a", "+OK"), ("MULTI", "+OK"), ("EXEC", "*-1")],
                None,
            ),
        ] {
            let conversation = conversation(exchange);
            assert!(!conversation.is_unfinished(), "{exchange:?}");
            assert_eq!(conversation.end_of_transaction(), end, "{exchange:?}");
        }
    }

    #[test]
    fn an_error_that_concerns_the_session_is_a_defect() {
        for (request, answer, is_defect) in [
            (
                "SET a 1",
                "-READONLY You can't write against a read only replica.",
                true,
            ),
            (
                "EVAL x 0",
                "-ERR Error running script: @user_script: 1: -READONLY You can't",
                true,
            ),
            ("EXEC", "*2\r\n+OK\r\n-READONLY You can't", true),
            ("EXEC", "*1\r\n!12\r\nREADONLY You", true),
            ("GET a", "-NOAUTH Authentication required.", true),
            ("GET a", "-NOPERM this user has no permissions", false),
            ("GET a", "$9\r\nREADONLY ", false),
            ("SUBSCRIBE c", "+OK", true),
            ("CLIENT REPLY OFF", "+OK", true),
        ] {
            let conversation = conversation(&[(request, answer)]);
            assert_eq!(
                conversation.defect().is_some(),
                is_defect,
                "{request}: {answer}"
            );
        }
    }

    #[test]
    fn an_answer_without_a_request_is_a_defect() {
        let conversation = conversation(&[("GET a", "$-1")]);
        assert_eq!(conversation.defect(), None);
        conversation.received(b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n");
        assert_eq!(conversation.defect(), None, "a push is no answer");
        conversation.received(b"$1\r\na\r\n");
        assert!(conversation.defect().is_some());
    }

    #[test]
    fn an_error_of_the_sign_in_is_the_cause() {
        for (answers, wanted) in [
            (&["-ERR max number of clients reached"][..], "ERR max"),
            (&["-WRONGPASS no", "-NOAUTH no"], "WRONGPASS"),
            (
                &["-ERR wrong number of arguments", "-LOADING no"],
                "LOADING",
            ),
            (&["-NOAUTH no"], "NOAUTH"),
        ] {
            let conversation = Conversation::default();
            for answer in answers {
                conversation.received(format!("{answer}\r\n").as_bytes());
            }
            let error = conversation.take_error().expect("an error");
            assert!(error.starts_with(wanted), "{error}");
        }
    }

    #[test]
    fn a_request_without_an_answer_is_unfinished() {
        let conversation = Conversation::default();
        let (first, second) = (packed("GET a"), packed("BLPOP q 1"));
        conversation.sent(&first.as_bytes()[..7]);
        assert!(conversation.is_unfinished(), "in the middle of a request");
        conversation.sent(&first.as_bytes()[7..]);
        assert!(conversation.is_unfinished() && !conversation.is_blocked());
        conversation.sent(second.as_bytes());
        conversation.received(b"$3\r\nab");
        assert!(conversation.is_unfinished(), "in the middle of an answer");
        conversation.received(b"c\r\n");
        assert!(conversation.is_blocked());
        conversation.received(b"*-1\r\n");
        assert!(!conversation.is_unfinished() && !conversation.is_blocked());
    }
}
