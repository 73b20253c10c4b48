use std::ffi::OsString;
use std::fmt::Display;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::unistd::Uid;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::host;

/// The time that a server may take to start.
const START: Duration = Duration::from_secs(30);

/// A server that a small shell starts and ends.
///
/// The shell outlives the test process just long enough to end the server. `Drop` is not enough,
/// because statics are not dropped. Nor is the kernel's parent-death signal, because it is tied to
/// a thread.
#[derive(Debug)]
pub(super) struct Supervised {
    folder: PathBuf,
    shell: Arc<Mutex<Child>>,
    pid: Mutex<Option<i32>>,
}

/// The signals for a server, as `kill` names them.
pub(super) struct Signals {
    /// Ends the server at once.
    pub(super) end: &'static str,
    /// Stops the server in an orderly way.
    pub(super) stop: &'static str,
}

impl Supervised {
    /// Starts the shell, which later runs the server's `command` as `user`.
    ///
    /// The shell removes `folder` when it ends.
    pub(super) fn new(
        folder: TempDir,
        user: &str,
        signals: Signals,
        command: Vec<OsString>,
    ) -> Self {
        let shell = Command::new("sh")
            .args(["-c", include_str!("supervise.sh"), "supervise"])
            .arg(folder.path())
            .args([signals.end, signals.stop])
            .args(as_user(user, command))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A Ctrl-C at the terminal must not end the shell before the tests.
            .process_group(0)
            .spawn()
            .expect("sh starts");
        Self {
            folder: folder.keep(),
            shell: Arc::new(Mutex::new(shell)),
            pid: Mutex::new(None),
        }
    }

    /// Starts the server and waits until `ready` succeeds.
    ///
    /// # Panics
    ///
    /// If the server ends or is not ready after 30 s, with its log.
    pub(super) async fn start<E: Display>(&self, ready: impl AsyncFn() -> Result<(), E>) {
        let pid = self.order("start").await.expect("the server has a process");
        *self
            .pid
            .lock()
            .expect("no thread panics while it holds the pid") = Some(pid);
        let since = Instant::now();
        while let Err(error) = ready().await {
            let runs = !matches!(host::process_state(pid), None | Some('Z'));
            assert!(
                runs && since.elapsed() < START,
                "the server did not start: {error}\n{}",
                self.log()
            );
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops the server and waits until it has ended.
    pub(super) async fn stop(&self) {
        self.order("stop").await;
        *self
            .pid
            .lock()
            .expect("no thread panics while it holds the pid") = None;
    }

    /// Returns the id of the server's process, or `None` while it is stopped.
    pub(super) fn pid(&self) -> Option<i32> {
        *self
            .pid
            .lock()
            .expect("no thread panics while it holds the pid")
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Sends `order` to the shell and returns the id of the server's process.
    async fn order(&self, order: impl Display) -> Option<i32> {
        let (shell, order) = (self.shell.clone(), format!("{order}\n"));
        let answer = tokio::task::spawn_blocking(move || {
            let mut shell = shell
                .lock()
                .expect("no thread panics while it holds the shell");
            let input = shell.stdin.as_mut().expect("the shell's input is a pipe");
            input
                .write_all(order.as_bytes())
                .expect("the shell reads orders");
            let output = shell.stdout.as_mut().expect("the shell's output is a pipe");
            let mut line = String::new();
            // The shell writes one line, so the reader's buffer loses nothing.
            BufReader::new(output)
                .read_line(&mut line)
                .expect("the shell answers");
            line
        });
        answer
            .await
            .expect("the order is sent without a panic")
            .trim()
            .parse()
            .ok()
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        if let Ok(mut shell) = self.shell.lock() {
            drop(shell.stdin.take());
            let _ = shell.wait();
        }
    }
}

/// Runs a program as `user` and waits for its end.
///
/// # Panics
///
/// If the program fails, with its output.
pub(super) async fn run(user: &str, command: Vec<OsString>) {
    let mut command = as_user(user, command).into_iter();
    let program = command.next().expect("a command");
    let output = tokio::process::Command::new(&program)
        .args(command)
        .stdin(Stdio::null())
        .output()
        .await;
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let text = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{}: {}",
        program.display(),
        String::from_utf8_lossy(&text)
    );
}

/// Returns the command that runs `command` as `user`.
///
/// Root needs it because database servers refuse to run as root.
fn as_user(user: &str, command: Vec<OsString>) -> Vec<OsString> {
    if !Uid::effective().is_root() {
        return command;
    }
    let setpriv = host::program("setpriv", "util-linux", &[]).into_os_string();
    let user = [
        format!("--reuid={user}"),
        format!("--regid={user}"),
        "--init-groups".into(),
        "--".into(),
    ];
    [setpriv]
        .into_iter()
        .chain(user.map(OsString::from))
        .chain(command)
        .collect()
}
