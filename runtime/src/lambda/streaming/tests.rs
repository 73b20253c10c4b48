//! The time at which the leases of a streamed response are settled.

use std::pin::Pin;

use http_body::Body as _;

use super::*;
use crate::invocation::{Invocation, on_stream_end};
use crate::sync::Mutex;

/// Runs two callbacks at the end of a stream. Returns their argument and their invocation.
fn settled(end: impl FnOnce(Arc<StreamEnd>)) -> Vec<(bool, Option<u64>)> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let invocation = Invocation::new(None);
    let (stream, _end) = StreamEnd::new(Arc::clone(&invocation));
    for _ in 0..2 {
        let seen = Arc::clone(&seen);
        let record = move |is_complete| {
            let id = invocation::current().map(|invocation| invocation.id);
            seen.lock().push((is_complete, id));
        };
        INVOCATION.sync_scope(Arc::clone(&invocation), || on_stream_end::run(record));
    }
    assert_eq!(seen.lock().len(), 0, "the stream has not ended");
    end(stream);
    std::mem::take(&mut *seen.lock())
}

fn body(stream: Arc<StreamEnd>) -> StreamingBody<String> {
    StreamingBody::new("rows".to_owned(), stream)
}

#[test]
fn a_body_is_complete_if_it_was_read_to_its_end() {
    let read = settled(|stream| {
        let mut body = body(stream);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut next = || Pin::new(&mut body).poll_frame(&mut cx);
        assert!(matches!(next(), Poll::Ready(Some(Ok(_)))));
        assert!(matches!(next(), Poll::Ready(None)));
    });
    assert!(
        matches!(read[..], [(true, Some(_)), (true, Some(_))]),
        "{read:?}"
    );
    let dropped = settled(|stream| drop(body(stream)));
    assert!(
        matches!(dropped[..], [(false, Some(_)), (false, Some(_))]),
        "{dropped:?}"
    );
}

#[test]
fn without_a_stream_a_callback_runs_at_once() {
    let (sender, receiver) = std::sync::mpsc::channel();
    on_stream_end::run(move |is_complete| sender.send(is_complete).unwrap_or(()));
    assert_eq!(receiver.try_recv(), Ok(true));
}

#[test]
fn after_the_handler_has_returned_a_callback_runs_at_once() {
    let invocation = Invocation::new(None);
    let (stream, _end) = StreamEnd::new(Arc::clone(&invocation));
    stream.handler_returned();
    let (sender, receiver) = std::sync::mpsc::channel();
    INVOCATION.sync_scope(invocation, || {
        on_stream_end::run(move |is_complete| sender.send(is_complete).unwrap_or(()));
    });
    assert_eq!(receiver.try_recv(), Ok(true));
}

#[test]
fn a_nested_stream_does_not_end_the_outer_handler() {
    let invocation = Invocation::new(None);
    let (_outer, _end) = StreamEnd::new(Arc::clone(&invocation));
    let (inner, _end) = StreamEnd::new(Arc::clone(&invocation));
    inner.handler_returned();
    let (sender, receiver) = std::sync::mpsc::channel();
    INVOCATION.sync_scope(invocation, || {
        on_stream_end::run(move |is_complete| sender.send(is_complete).unwrap_or(()));
    });
    assert!(
        receiver.try_recv().is_err(),
        "the outer stream has not ended"
    );
}
