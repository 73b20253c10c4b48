use std::ffi::OsString;
use std::fmt::Display;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::unistd::Uid;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::host;

/// How long a server may take to start.
const START: Duration = Duration::from_secs(30);

/// A server under a small shell that outlives the test process by the moment it takes to end the
/// server.
///
/// Neither `Drop`, which statics do not get, nor the kernel's parent-death signal, which is tied to
/// a thread, would do.
#[derive(Debug)]
pub(super) struct Supervised {
    folder: PathBuf,
    shell: Arc<Mutex<Child>>,
    pid: Mutex<Option<i32>>,
}

/// The signals, as `kill` names them.
pub(super) struct Signals {
    /// Ends the server at once.
    pub(super) end: &'static str,
    /// Stops it in an orderly way.
    pub(super) stop: &'static str,
}

impl Supervised {
    /// Prepares a shell for the server's `command`, that runs as `user`. From now on the shell
    /// removes `folder`.
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
            // A Ctrl-C at the terminal is not for it.
            .process_group(0)
            .spawn()
            .expect("sh starts");
        Self {
            folder: folder.keep(),
            shell: Arc::new(Mutex::new(shell)),
            pid: Mutex::new(None),
        }
    }

    /// Starts the server, and looks until `ready` says that it serves.
    pub(super) async fn start(&self, ready: impl AsyncFn() -> Result<(), sqlx::Error>) {
        let pid = self.order("start").await.expect("the server has a process");
        *self.pid.lock().expect("nobody panics with the pid") = Some(pid);
        let since = Instant::now();
        while let Err(error) = ready().await {
            let lives = !matches!(host::process_state(pid), None | Some('Z'));
            assert!(
                lives && since.elapsed() < START,
                "the server does not start: {error}\n{}",
                self.log()
            );
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops the server, and waits until it has ended.
    pub(super) async fn stop(&self) {
        self.order("stop").await;
        *self.pid.lock().expect("nobody panics with the pid") = None;
    }

    /// The id of the server's process while it runs.
    pub(super) fn pid(&self) -> Option<i32> {
        *self.pid.lock().expect("nobody panics with the pid")
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Has the shell carry out `order`; the answer is the server's process.
    async fn order(&self, order: impl Display) -> Option<i32> {
        let (shell, order) = (self.shell.clone(), format!("{order}\n"));
        let answer = tokio::task::spawn_blocking(move || {
            let mut shell = shell.lock().expect("nobody panics with the shell");
            let input = shell.stdin.as_mut().expect("its input is a pipe");
            input.write_all(order.as_bytes()).expect("the shell reads");
            let output = shell.stdout.as_mut().expect("its output is a pipe");
            let mut line = String::new();
            // Nothing but the one line is written, so nothing is lost in the buffer.
            BufReader::new(output)
                .read_line(&mut line)
                .expect("the shell answers");
            line
        });
        answer
            .await
            .expect("nobody panics with the shell")
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

/// A folder that `user` may write to.
pub(super) fn folder_of(user: &str) -> TempDir {
    let folder = tempfile::Builder::new()
        .prefix("reuse-db-")
        .tempdir()
        .expect("a temporary folder");
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).expect("it is ours");
    if Uid::effective().is_root() {
        let owner = nix::unistd::User::from_name(user)
            .ok()
            .flatten()
            .expect("the server's package made its user");
        chown(&folder, Some(owner.uid.as_raw()), Some(owner.gid.as_raw())).expect("root may");
    }
    folder
}

/// Runs a program of the server's to its end.
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

/// The command as root has to give it: database servers refuse root.
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
