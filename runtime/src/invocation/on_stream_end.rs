//! Callbacks for the end of a streamed response.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use tokio::sync::oneshot;

use super::{INVOCATION, Invocation};
use crate::sync::Mutex;

/// A callback for the end of a stream. Its argument is `true` if the stream ended regularly.
type Callback = Box<dyn FnOnce(bool) + Send>;

/// The callbacks for the end of one streamed response.
///
/// The handler owns it until it has returned, then the body of its response does. The callbacks
/// run when the last owner drops it.
pub(crate) struct StreamEnd {
    callbacks: Mutex<Vec<Callback>>,
    is_complete: AtomicBool,
    /// The invocation that the callbacks run in.
    pub(crate) invocation: Arc<Invocation>,
    /// The stream of an outer handler, which calls this one.
    outer: Weak<Self>,
    /// Dropped after the callbacks have run.
    _end: oneshot::Sender<()>,
}

impl StreamEnd {
    /// Creates the callbacks of `invocation`'s stream, and a receiver that resolves once they
    /// have run.
    pub(crate) fn new(invocation: Arc<Invocation>) -> (Arc<Self>, oneshot::Receiver<()>) {
        let (sender, end) = oneshot::channel();
        let outer = Weak::clone(&invocation.stream.0.lock());
        let stream_end = Arc::new(Self {
            callbacks: Mutex::default(),
            is_complete: AtomicBool::new(false),
            invocation,
            outer,
            _end: sender,
        });
        *stream_end.invocation.stream.0.lock() = Arc::downgrade(&stream_end);
        (stream_end, end)
    }

    /// Ends the time in which [`run`] collects callbacks: the handler has returned.
    pub(crate) fn handler_returned(&self) {
        *self.invocation.stream.0.lock() = Weak::clone(&self.outer);
    }

    /// Records that the stream ended regularly.
    pub(crate) fn complete(&self) {
        self.is_complete.store(true, Ordering::Relaxed);
    }
}

impl Drop for StreamEnd {
    fn drop(&mut self) {
        let is_complete = *self.is_complete.get_mut();
        let callbacks = std::mem::take(self.callbacks.get_mut());
        // The body may be dropped in another task.
        INVOCATION.sync_scope(Arc::clone(&self.invocation), || {
            for callback in callbacks {
                callback(is_complete);
            }
        });
    }
}

impl fmt::Debug for StreamEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamEnd").finish_non_exhaustive()
    }
}

/// The stream whose handler is running. Weak, because the stream owns the invocation.
#[derive(Debug, Default)]
pub(super) struct CurrentStream(Mutex<Weak<StreamEnd>>);

/// Runs `callback` when the current handler's stream has ended, or at once if its response is not
/// streamed.
pub(crate) fn run(callback: impl FnOnce(bool) + Send + 'static) {
    let stream = INVOCATION.try_with(|invocation| invocation.stream.0.lock().upgrade());
    match stream.ok().flatten() {
        Some(stream) => stream.callbacks.lock().push(Box::new(callback)),
        None => callback(true),
    }
}
