mod lifecycle;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::lambda::answer::{Answer, Outcome};
use crate::lambda::builder::Builder;
use crate::lambda::event::Event;
use crate::lambda::instance::Instance;
use crate::lambda::log::Log;
use crate::lambda::state::Invocation;
use crate::wait::LIMIT;

/// A sandbox that runs one process of a function at a time.
///
/// The process is frozen between invocations, and replaced after it has ended. Dropping the sandbox
/// kills the process. The end of the thread that started the process kills it as well.
pub struct Sandbox {
    builder: Builder,
    log: Log,
    freezes: Arc<AtomicUsize>,
    starts: AtomicUsize,
    invocations: AtomicUsize,
    /// The current process, or the last one if it has ended.
    instance: Mutex<Arc<Instance>>,
    /// Held while the next process is started.
    starting: tokio::sync::Mutex<()>,
}

impl Sandbox {
    /// Returns a builder for a function binary, such as `env!("CARGO_BIN_EXE_visits")`.
    pub fn builder(binary: impl Into<PathBuf>) -> Builder {
        Builder::new(binary.into())
    }

    pub(super) async fn start(builder: Builder) -> Self {
        let (log, freezes) = (Log::default(), Arc::default());
        let first = new_instance(&builder, &freezes, &log).await;
        Self {
            builder,
            log,
            freezes,
            starts: AtomicUsize::new(1),
            invocations: AtomicUsize::new(0),
            instance: Mutex::new(first),
            starting: tokio::sync::Mutex::default(),
        }
    }

    /// Invokes the function and returns the response.
    ///
    /// The process is thawed, or started, and gets the event as soon as it asks for one. The
    /// function's work after the response is not awaited. Concurrent calls are queued, except for
    /// as many as [`Builder::concurrency`] allows.
    ///
    /// # Panics
    ///
    /// 30 s after the function's time-out, with the function's output.
    pub async fn invoke(&self, event: Event) -> Answer {
        let since = Instant::now();
        // The function's deadline ends the wait of one invocation. Queued ones wait for longer.
        let limit = LIMIT * 3 + self.builder.settings.timeout;
        let Ok(outcome) = tokio::time::timeout(limit, self.outcome(&event, since)).await else {
            panic!("{} has no answer after {limit:?}: {self:?}", event.name);
        };
        Answer {
            event: event.name,
            at: SystemTime::now(),
            took: since.elapsed(),
            outcome,
            log: self.log.clone(),
        }
    }

    async fn outcome(&self, event: &Event, since: Instant) -> Outcome {
        loop {
            let nth = self.invocations.fetch_add(1, Ordering::Relaxed);
            let id = format!("8476a536-e9f4-11e8-9739-{nth:012x}");
            let (answer, outcome) = oneshot::channel();
            let invocation = Invocation {
                id,
                payload: event.payload.clone(),
                since,
                leaves_after: event.leaves_after,
                answer,
            };
            self.live_instance().await.control.submit(invocation);
            // Without an outcome the event was not delivered: the process had ended before.
            if let Ok(outcome) = outcome.await {
                return outcome;
            }
        }
    }

    fn instance(&self) -> Arc<Instance> {
        self.instance
            .lock()
            .expect("no thread panics while it holds the instance")
            .clone()
    }

    /// Returns the current process, or starts one if the last one has ended.
    async fn live_instance(&self) -> Arc<Instance> {
        let _starting = self.starting.lock().await;
        let current = self.instance();
        if !current.control.is_closed() {
            return current;
        }
        current.ended().await;
        let next = new_instance(&self.builder, &self.freezes, &self.log).await;
        self.starts.fetch_add(1, Ordering::Relaxed);
        *self
            .instance
            .lock()
            .expect("no thread panics while it holds the instance") = next.clone();
        next
    }
}

async fn new_instance(builder: &Builder, freezes: &Arc<AtomicUsize>, log: &Log) -> Arc<Instance> {
    let mut command = vec![builder.binary.clone().into_os_string()];
    command.extend_from_slice(&builder.arguments);
    let (settings, freezes, log) = (builder.settings.clone(), freezes.clone(), log.clone());
    Arc::new(Instance::start(&command, builder.env.clone(), settings, freezes, log).await)
}

/// An event that a sandbox is waiting for, displayed with the sandbox's state and output.
struct Awaited<'a>(&'static str, &'a Sandbox);

impl fmt::Display for Awaited<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {:?}", self.0, self.1)
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pid, state) = (self.pid(), self.process_state());
        writeln!(
            f,
            "{} (pid {pid}, state {state:?}, start {})",
            self.builder.binary.display(),
            self.starts()
        )?;
        write!(f, "--- output of the function ---\n{}", self.output())
    }
}
