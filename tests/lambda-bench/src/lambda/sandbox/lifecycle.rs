//! The process of a sandbox: its state, its freezes, its end.

use std::process::ExitStatus;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;

use super::{Awaited, Sandbox};
use crate::lambda::instance::Instance;
use crate::wait::until;

/// The time that Lambda gives a function to shut down.
const GRACE: Duration = Duration::from_millis(500);

impl Sandbox {
    /// Waits until the kernel reports the process as stopped.
    ///
    /// # Panics
    ///
    /// After [`LIMIT`](crate::wait::LIMIT), with the function's output.
    pub async fn frozen(&self) {
        until(Awaited("the freeze", self), async || {
            self.is_frozen() && self.process_state() == Some('T')
        })
        .await;
    }

    /// Waits until the function and its extensions have asked for their next event.
    ///
    /// The process need not be frozen then.
    ///
    /// # Panics
    ///
    /// After [`LIMIT`](crate::wait::LIMIT), with the function's output.
    pub async fn idle(&self) {
        until(Awaited("the next poll", self), async || {
            self.instance().control.is_idle()
        })
        .await;
    }

    /// Returns `true` if the emulator has stopped the process.
    ///
    /// [`process_state`](Self::process_state) returns the kernel's view.
    pub fn is_frozen(&self) -> bool {
        self.instance().control.is_frozen()
    }

    /// Stops the process now, even in the middle of an invocation.
    pub fn freeze(&self) {
        self.instance().control.freeze();
    }

    /// Resumes the process now, without an event.
    pub fn thaw(&self) {
        self.instance().control.thaw();
    }

    /// Returns the id of the current process, or of the last one if it has ended.
    pub fn pid(&self) -> i32 {
        self.instance().control.process.pid()
    }

    /// Returns the kernel's state of the process as a letter of `proc(5)`: `T` is stopped.
    ///
    /// Returns `None` if the process has ended.
    pub fn process_state(&self) -> Option<char> {
        self.instance().control.process.state()
    }

    /// Returns the time at which the current process asked for its first event, if it has.
    pub fn first_poll(&self) -> Option<SystemTime> {
        self.instance().control.state().first_poll
    }

    /// Returns the number of freezes, over all cold starts.
    pub fn freezes(&self) -> usize {
        self.freezes.load(Ordering::Relaxed)
    }

    /// Returns the number of cold starts.
    pub fn starts(&self) -> usize {
        self.starts.load(Ordering::Relaxed)
    }

    /// Returns the function's output to stdout and stderr so far, over all cold starts.
    pub fn output(&self) -> String {
        self.log.text()
    }

    /// Ends the sandbox as Lambda does.
    ///
    /// If an extension is registered, the process gets `SIGTERM`, and `SIGKILL` 500 ms later.
    /// Without an extension it gets `SIGKILL` at once. The next invocation is a cold start.
    pub async fn shutdown(&self) -> ExitStatus {
        let instance = self.instance();
        let grace = if instance.control.shut_down() {
            GRACE
        } else {
            Duration::ZERO
        };
        end(&instance, grace).await
    }

    /// Ends the process with `SIGTERM`, and `SIGKILL` 500 ms later, with or without an extension.
    pub async fn terminate(&self) -> ExitStatus {
        let instance = self.instance();
        instance.control.shut_down();
        end(&instance, GRACE).await
    }

    /// Ends the process with `SIGKILL`, as when its host fails.
    pub async fn kill(&self) -> ExitStatus {
        let instance = self.instance();
        instance.control.close();
        end(&instance, Duration::ZERO).await
    }
}

async fn end(instance: &Instance, grace: Duration) -> ExitStatus {
    let process = &instance.control.process;
    if !grace.is_zero() {
        process.signal(Signal::SIGTERM);
    }
    process.end_within(grace).await
}
