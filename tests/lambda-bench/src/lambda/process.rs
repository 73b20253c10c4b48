use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::process::Command;
use tokio::sync::watch;

use super::log::Log;
use crate::host;
use crate::wait::within;

/// A process of the function. Dropping it kills the process, even a stopped one.
#[derive(Debug)]
pub(super) struct Process {
    pid: Pid,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    /// Starts a binary with its arguments, the environment `env` and no other variable.
    ///
    /// `setpriv` sets the parent-death signal and then executes the function. The kernel therefore
    /// kills the function even if the tests are killed. The signal is tied to the *thread* that
    /// started the process, so that thread must outlive it. A test's own thread or a worker of a
    /// runtime does, a thread of `spawn_blocking` does not.
    pub(super) fn start(
        command: &[OsString],
        env: &BTreeMap<OsString, OsString>,
        log: Log,
    ) -> Self {
        let (output, input) = std::io::pipe().expect("a pipe for the function's output");
        let mut child = Command::new(host::program("setpriv", "util-linux", &[]))
            .args(["--pdeathsig", "KILL", "--"])
            .args(command)
            .env_clear()
            .envs(env)
            .stdin(Stdio::null())
            .stdout(input.try_clone().expect("a second handle of the pipe"))
            .stderr(input)
            .spawn()
            .expect("setpriv starts");
        let pid = child.id().expect("the process has not been waited for");
        let output = Receiver::from_owned_fd(OwnedFd::from(output)).expect("a pipe to read");
        let reader = tokio::spawn(read(output, log));
        let (exited, exit) = watch::channel(None);
        tokio::spawn(async move {
            let status = child
                .wait()
                .await
                .expect("a child process can be waited for");
            // The rest of the output is read first. A child of the function may keep the pipe open.
            let _ = tokio::time::timeout(Duration::from_secs(1), reader).await;
            exited.send_replace(Some(status));
        });
        Self {
            pid: Pid::from_raw(pid.try_into().expect("a process id is small")),
            exit,
        }
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    pub(super) fn state(&self) -> Option<char> {
        host::process_state(self.pid())
    }

    /// Sends `signal` unless the process has ended.
    pub(super) fn signal(&self, signal: Signal) {
        if self.exit.borrow().is_none() {
            // The process may end at this moment, so an error is ignored.
            let _ = kill(self.pid, signal);
        }
    }

    pub(super) async fn exited(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        let status = exit
            .wait_for(Option::is_some)
            .await
            .expect("a task waits for the process");
        (*status).expect("the process has ended")
    }

    /// Waits for the end of the process, and kills it after `grace`.
    pub(super) async fn end_within(&self, grace: Duration) -> ExitStatus {
        if let Ok(status) = tokio::time::timeout(grace, self.exited()).await {
            return status;
        }
        self.signal(Signal::SIGKILL);
        within("the end of a killed process", self.exited()).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

async fn read(mut output: Receiver, log: Log) {
    let mut piece = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = output.read(&mut piece).await {
        log.write(&piece[..length]);
    }
}
