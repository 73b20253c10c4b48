use std::fmt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::answer::{Answer, Outcome};
use super::builder::Builder;
use super::event::Event;
use super::instance::Instance;
use super::log::Log;
use super::state::Invocation;
use crate::wait::{LIMIT, until};

/// What Lambda gives a function to shut down.
const GRACE: Duration = Duration::from_millis(500);

/// A place where a function runs: one process at a time, frozen between invocations, replaced when
/// it has ended.
///
/// Dropping it kills the process. It belongs to the test that started it: the process is also
/// killed when the thread that started it ends.
pub struct Sandbox {
    plan: Builder,
    log: Log,
    freezes: Arc<AtomicUsize>,
    starts: AtomicUsize,
    invocations: AtomicUsize,
    /// The process of now, or the last one.
    instance: Mutex<Arc<Instance>>,
    /// Held by who starts the next process.
    starting: tokio::sync::Mutex<()>,
}

impl Sandbox {
    /// Describes a sandbox for a function binary, such as `env!("CARGO_BIN_EXE_visits")`.
    pub fn builder(binary: impl Into<PathBuf>) -> Builder {
        Builder::new(binary.into())
    }

    pub(super) async fn start(plan: Builder) -> Self {
        let (log, freezes) = (Log::default(), Arc::default());
        let first = new_instance(&plan, &freezes, &log).await;
        Self {
            plan,
            log,
            freezes,
            starts: AtomicUsize::new(1),
            invocations: AtomicUsize::new(0),
            instance: Mutex::new(first),
            starting: tokio::sync::Mutex::default(),
        }
    }

    /// Invokes the function: thaws the process, or starts one, delivers the event as soon as the
    /// function asks for it, and resolves when the response is there: what the function does after
    /// it goes on meanwhile.
    ///
    /// Several at once wait for each other unless the function takes several.
    pub async fn invoke(&self, event: Event) -> Answer {
        let since = Instant::now();
        // The function's own deadline ends the wait, except for those that queue up behind one
        // another.
        let limit = LIMIT * 3 + self.plan.terms.timeout;
        let Ok(outcome) = tokio::time::timeout(limit, self.outcome(&event, since)).await else {
            panic!("{} was not taken in {limit:?}: {self:?}", event.name);
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
            // No outcome: that process had ended before it could be asked.
            if let Ok(outcome) = outcome.await {
                return outcome;
            }
        }
    }

    /// Waits until the process is really stopped.
    ///
    /// # Panics
    ///
    /// After [`LIMIT`], with the function's output.
    pub async fn frozen(&self) {
        until(Awaited("the freeze", self), async || {
            self.is_frozen() && self.process_state() == Some('T')
        })
        .await;
    }

    /// Waits until the function and its extensions have asked for their next event, whether or not
    /// they are frozen then.
    ///
    /// # Panics
    ///
    /// After [`LIMIT`], with the function's output.
    pub async fn idle(&self) {
        until(Awaited("the idleness", self), async || {
            self.instance().control.is_idle()
        })
        .await;
    }

    /// Whether the emulator has stopped the process. The process itself is asked by
    /// [`process_state`](Self::process_state).
    pub fn is_frozen(&self) -> bool {
        self.instance().control.is_frozen()
    }

    /// Stops the process now, whatever it is doing.
    pub fn freeze(&self) {
        self.instance().control.freeze();
    }

    /// Lets the process run on now, without an event.
    pub fn thaw(&self) {
        self.instance().control.thaw();
    }

    /// The id of the process, or of the last one if it has ended.
    pub fn pid(&self) -> i32 {
        self.instance().control.process.pid()
    }

    /// The state of the process as the kernel has it, a letter of `proc(5)`: `T` is stopped. `None`
    /// if it has ended.
    pub fn process_state(&self) -> Option<char> {
        self.instance().control.process.state()
    }

    /// How often the process was frozen, over all cold starts.
    pub fn freezes(&self) -> usize {
        self.freezes.load(Ordering::Relaxed)
    }

    /// How many processes were started: the cold starts.
    pub fn starts(&self) -> usize {
        self.starts.load(Ordering::Relaxed)
    }

    /// What the function wrote to stdout and stderr so far, over all cold starts.
    pub fn output(&self) -> String {
        self.log.text()
    }

    /// Ends the sandbox as Lambda does: `SIGTERM`, 500 ms, `SIGKILL` if an extension is registered,
    /// else `SIGKILL` at once. An invocation after that is a cold start.
    pub async fn shutdown(&self) -> ExitStatus {
        let instance = self.instance();
        let grace = if instance.control.shut_down() {
            GRACE
        } else {
            Duration::ZERO
        };
        end(&instance, grace).await
    }

    /// Ends the process by `SIGTERM`, 500 ms, `SIGKILL`, with or without an extension.
    pub async fn terminate(&self) -> ExitStatus {
        let instance = self.instance();
        instance.control.shut_down();
        end(&instance, GRACE).await
    }

    /// Ends the process by `SIGKILL`, as Lambda does when a host fails.
    pub async fn kill(&self) -> ExitStatus {
        let instance = self.instance();
        instance.control.close();
        end(&instance, Duration::ZERO).await
    }

    fn instance(&self) -> Arc<Instance> {
        self.instance
            .lock()
            .expect("nobody panics while replacing it")
            .clone()
    }

    /// The process of now, started if the last one has ended.
    async fn live_instance(&self) -> Arc<Instance> {
        let _one_at_a_time = self.starting.lock().await;
        let current = self.instance();
        if !current.control.is_over() {
            return current;
        }
        current.ended().await;
        let next = new_instance(&self.plan, &self.freezes, &self.log).await;
        self.starts.fetch_add(1, Ordering::Relaxed);
        *self
            .instance
            .lock()
            .expect("nobody panics while replacing it") = next.clone();
        next
    }
}

async fn new_instance(plan: &Builder, freezes: &Arc<AtomicUsize>, log: &Log) -> Arc<Instance> {
    let (terms, freezes, log) = (plan.terms.clone(), freezes.clone(), log.clone());
    Arc::new(Instance::start(&plan.binary, plan.env.clone(), terms, freezes, log).await)
}

async fn end(instance: &Instance, grace: Duration) -> ExitStatus {
    let process = &instance.control.process;
    if !grace.is_zero() {
        process.signal(Signal::SIGTERM);
    }
    process.end_within(grace).await
}

/// What a sandbox was waited for in vain, and how it stands then.
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
            self.plan.binary.display(),
            self.starts()
        )?;
        write!(f, "--- output of the function ---\n{}", self.output())
    }
}
