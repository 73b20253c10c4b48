//! What a stream settles, and when.

use std::pin::Pin;

use http_body::Body as _;

use super::*;

/// What is settled, told whether the stream was complete and which invocation it is of.
fn settled(end: impl FnOnce(Arc<Held>)) -> Vec<(bool, Option<u64>)> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (held, _end) = INVOCATION.sync_scope(Invocation::new(None), Held::new);
    for _ in 0..2 {
        let seen = Arc::clone(&seen);
        let record = move |is_complete| {
            let mut seen = seen.lock().expect("nobody panics with it");
            seen.push((is_complete, invocation::current().map(|it| it.id)));
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
    StreamedBody::new("rows".to_owned(), held)
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
