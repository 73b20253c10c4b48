//! The state of a connection that diesel-async does not report: a statement that was cut off, and a
//! transaction of diesel that is open.
//!
//! mysql_async is not safe to cancel: the next statement would get the answer of the one that was
//! cut off ([401]). diesel tells its instrumentation of the beginning and the end of each
//! statement.
//!
//! [401]: https://github.com/blackbeam/mysql_async/issues/401

use std::fmt::{self, Write as _};
use std::num::NonZeroU32;
use std::sync::Arc;

use diesel::connection::{
    DebugQuery, Instrumentation, InstrumentationEvent, get_default_instrumentation,
};

use crate::sync::Mutex;

/// The statements and transactions of a connection.
#[derive(Debug, Default)]
pub(super) struct Watch(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    /// The number of statements that have begun and not ended.
    running: u32,
    /// The depth of diesel's transaction.
    depth: u32,
}

impl Watch {
    /// Returns the instrumentation to be set. It passes its events on to the user's default.
    pub(super) fn instrumentation(&self) -> impl Instrumentation {
        Observer {
            seen: Arc::clone(&self.0),
            next: get_default_instrumentation(),
        }
    }

    /// Returns the reason for which no further handler may use the connection.
    pub(super) fn defect(&self) -> Option<&'static str> {
        if Arc::strong_count(&self.0) < 2 {
            return Some("a handler has replaced its instrumentation, which shows what is cut off");
        }
        // diesel does not tell the end of a statement that it could not build, either.
        (self.0.lock().running > 0).then_some("a statement on it was cut off")
    }

    /// Returns `true` if a transaction is open, of diesel or begun in SQL.
    pub(super) fn is_in_transaction(&self) -> bool {
        self.0.lock().depth > 0
    }

    /// Forgets the transaction, which has ended.
    pub(super) fn transaction_ended(&self) {
        self.0.lock().depth = 0;
    }
}

/// Returns `true` for a text that begins a transaction.
fn begins(query: &dyn DebugQuery) -> bool {
    let mut head = Head::default();
    // An error ends the text once enough of it is seen.
    let _ = write!(head, "{query}");
    let head = head.0.trim_start().to_ascii_lowercase();
    head.starts_with("begin") || head.starts_with("start transaction")
}

/// The beginning of a text.
#[derive(Default)]
struct Head(String);

impl fmt::Write for Head {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        const LONGEST: usize = 24;
        self.0
            .extend(text.chars().take(LONGEST - self.0.len().min(LONGEST)));
        if self.0.len() < LONGEST {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}

struct Observer {
    seen: Arc<Mutex<Seen>>,
    next: Option<Box<dyn Instrumentation>>,
}

impl Instrumentation for Observer {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        {
            let mut seen = self.seen.lock();
            let below = |depth: NonZeroU32| depth.get() - 1;
            match event {
                InstrumentationEvent::StartQuery { query, .. } => {
                    seen.running += 1;
                    if begins(query) {
                        seen.depth = seen.depth.max(1);
                    }
                }
                InstrumentationEvent::FinishQuery { .. } => {
                    seen.running = seen.running.saturating_sub(1);
                }
                InstrumentationEvent::BeginTransaction { depth, .. } => seen.depth = depth.get(),
                InstrumentationEvent::CommitTransaction { depth, .. }
                | InstrumentationEvent::RollbackTransaction { depth, .. } => {
                    seen.depth = below(depth);
                }
                _ => {}
            }
        }
        if let Some(next) = &mut self.next {
            next.on_connection_event(event);
        }
    }
}
