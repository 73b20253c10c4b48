use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::api;
use super::control::{Control, Terms};
use super::log::Log;
use super::process::Process;
use crate::wait::within;

/// How long Lambda lets a function initialize.
const INIT: Duration = Duration::from_secs(10);

/// One process of the function, from cold start to end, and the API that it talks to.
pub(super) struct Instance {
    pub(super) control: Arc<Control>,
    /// Ended with the instance.
    _tasks: JoinSet<()>,
}

impl Instance {
    pub(super) async fn start(
        binary: &Path,
        mut env: BTreeMap<OsString, OsString>,
        terms: Terms,
        freezes: Arc<AtomicUsize>,
        log: Log,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port on 127.0.0.1");
        let address = listener
            .local_addr()
            .expect("a bound listener has an address");
        env.insert("AWS_LAMBDA_RUNTIME_API".into(), address.to_string().into());
        let process = Process::start(binary, &env, log.clone());
        let control = Control::new(process, terms, freezes, log);

        let mut tasks = JoinSet::new();
        let router = api::router(control.clone());
        tasks.spawn(async move {
            axum::serve(listener, router)
                .await
                .expect("the API serves for ever");
        });
        let watched = control.clone();
        tasks.spawn(async move {
            let status = watched.process.exited().await;
            watched.exited(status);
        });
        let watched = control.clone();
        tasks.spawn(async move {
            tokio::time::sleep(INIT).await;
            watched.init_overdue();
        });
        Self {
            control,
            _tasks: tasks,
        }
    }

    /// Waits until a process that is at its end has ended, and all that ran in it has its outcome.
    pub(super) async fn ended(&self) {
        let status = within("the end of the last process", self.control.process.exited()).await;
        self.control.exited(status);
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // Not left to `Process`: connections of the API may keep that one a little longer.
        self.control.process.signal(Signal::SIGKILL);
    }
}
