//! The invocation that the current task serves.

pub(crate) mod background;
pub(crate) mod deadline;
pub(crate) mod failed_leases;
pub(crate) mod leases_out;
pub(crate) mod on_stream_end;
mod step;
mod tenant;

pub(crate) use self::step::{Step, current_step, waits_for};
pub(crate) use self::tenant::remember_tenant;
pub use self::tenant::tenant_id;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::Instant;

use self::failed_leases::FailedLeases;
use self::on_stream_end::CurrentStream;
use self::step::CurrentStep;
use crate::clock::Timestamp;
use crate::environment;
use crate::sync::Mutex;

tokio::task_local! {
    /// The invocation that this task serves. The only task-local of this crate.
    pub(crate) static INVOCATION: Arc<Invocation>;
}

/// An invocation, from its event to its response.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// Unique in this process.
    pub(crate) id: u64,
    pub(crate) begun: Instant,
    /// `None` if the deadline is unknown.
    deadline: Option<Instant>,
    /// The time at which the handler is ended, if it is.
    handler_end: OnceLock<Instant>,
    /// Signals that the response is out. `None` in a copy for background work.
    response: Option<watch::Sender<bool>>,
    has_responded: watch::Receiver<bool>,
    step: CurrentStep,
    failed_leases: FailedLeases,
    stream: CurrentStream,
}

impl Invocation {
    pub(crate) fn new(deadline: Option<Instant>) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (response, has_responded) = watch::channel(false);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            begun: Instant::now(),
            deadline,
            handler_end: OnceLock::new(),
            response: Some(response),
            has_responded,
            step: CurrentStep::default(),
            failed_leases: FailedLeases::default(),
            stream: CurrentStream::default(),
        })
    }

    /// Creates a copy for background work, which may outlive the invocation.
    pub(crate) fn for_background(&self) -> Arc<Self> {
        Arc::new(Self {
            id: self.id,
            begun: self.begun,
            deadline: self.deadline,
            handler_end: self.handler_end.clone(),
            response: None,
            has_responded: self.has_responded.clone(),
            step: CurrentStep::default(),
            failed_leases: FailedLeases::default(),
            stream: CurrentStream::default(),
        })
    }

    /// Creates an invocation with Lambda's deadline, in milliseconds since the Unix epoch.
    pub(crate) fn with_deadline(epoch_ms: u64) -> Arc<Self> {
        HAS_BEGUN.store(true, Ordering::Relaxed);
        Self::new(deadline(epoch_ms))
    }

    fn time_out(&self) -> Option<Duration> {
        Some(self.deadline?.duration_since(self.begun))
    }

    /// Remembers the time-out of the function, also for tasks that a handler spawns. They serve no
    /// invocation of their own.
    pub(crate) fn remember_time_out(&self) {
        if let Some(time_out) = self.time_out() {
            let millis = u64::try_from(time_out.as_millis()).unwrap_or(u64::MAX);
            let before = TIME_OUT.fetch_max(millis, Ordering::Relaxed);
            if before > 0 && millis.saturating_sub(before) > SAME_TIME_OUT_MILLIS {
                *GREW.lock() = Some(Timestamp::now());
            }
        }
    }

    /// Signals that the response is out.
    pub(crate) fn respond(&self) {
        if let Some(response) = &self.response {
            response.send_replace(true);
        }
    }
}

/// Returns the invocation that the current task serves, if any.
pub(crate) fn current() -> Option<Arc<Invocation>> {
    INVOCATION.try_with(Arc::clone).ok()
}

/// Returns the current invocation, or a new one without a deadline if there is none.
pub(crate) fn current_or_new() -> Arc<Invocation> {
    current().unwrap_or_else(|| Invocation::new(None))
}

/// `true` once Lambda has sent an event.
static HAS_BEGUN: AtomicBool = AtomicBool::new(false);

/// Returns `true` in the initialization on Lambda, before the first event.
#[cfg(feature = "aws")]
pub(crate) fn is_initializing() -> bool {
    environment::is_lambda() && !HAS_BEGUN.load(Ordering::Relaxed)
}

/// The time-out of the function in milliseconds, once an invocation has told it, otherwise 0.
static TIME_OUT: AtomicU64 = AtomicU64::new(0);

/// The difference between two time-outs of invocations that may be the same.
const SAME_TIME_OUT_MILLIS: u64 = 400;

/// The time at which an invocation told a longer time-out than those before.
static GREW: Mutex<Option<Timestamp>> = Mutex::new(None);

/// Returns the time at which the known time-out grew last. Sessions that were opened before that
/// have limits for less time.
pub(crate) fn time_out_grew() -> Option<Timestamp> {
    *GREW.lock()
}

/// Returns the time-out of the function: the longest that an invocation has told. One that begins
/// with an initialization has less time.
pub(crate) fn time_out() -> Option<Duration> {
    let current = INVOCATION.try_with(|invocation| invocation.time_out());
    let remembered = TIME_OUT.load(Ordering::Relaxed);
    let remembered = (remembered > 0).then(|| Duration::from_millis(remembered));
    current.ok().flatten().max(remembered)
}

/// Returns `true` if Lambda freezes the sandbox after each invocation. `false` if no deadline was
/// told: `cargo lambda watch` tells none, and goes on with a stream while the next one runs.
pub(crate) fn is_frozen_after() -> bool {
    time_out().is_some() && environment::concurrency() == 1
}

/// Waits until the response of the current invocation is out. Returns at once if the task serves
/// no invocation, or if the invocation ended without a response.
pub(crate) fn responded() -> impl Future<Output = ()> + Send + 'static {
    let response = INVOCATION.try_with(|invocation| invocation.has_responded.clone());
    async {
        if let Ok(mut response) = response {
            let _ = response.wait_for(|is_out| *is_out).await;
        }
    }
}

/// Converts Lambda's deadline to the monotonic clock.
///
/// Returns `None` for a deadline in the past: cargo-lambda always sends one, so it is unknown.
fn deadline(epoch_ms: u64) -> Option<Instant> {
    let left = SystemTime::UNIX_EPOCH
        .checked_add(Duration::from_millis(epoch_ms))?
        .duration_since(SystemTime::now())
        .ok()?;
    Instant::now().checked_add(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_and_far_future_deadlines_do_not_panic() {
        assert_eq!(deadline(600_000), None);
        let _ = deadline(u64::MAX);
    }

    #[test]
    fn outside_an_invocation_there_is_no_current_one() {
        assert!(current().is_none());
    }
}
