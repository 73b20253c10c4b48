use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use nix::sys::signal::Signal;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::api;
use super::control::{Control, Settings};
use super::log::Log;
use super::process::Process;
use crate::wait::within;

/// A process of the function, from its cold start to its end, and the API that serves it.
pub(super) struct Instance {
    pub(super) control: Arc<Control>,
    /// The tasks of the instance, aborted when it is dropped.
    _tasks: JoinSet<()>,
}

impl Instance {
    pub(super) async fn start(
        command: &[OsString],
        mut env: BTreeMap<OsString, OsString>,
        settings: Settings,
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
        let process = Process::start(command, &env, log.clone());
        let init_timeout = settings.init_timeout;
        let control = Control::new(process, settings, freezes, log);

        let mut tasks = JoinSet::new();
        let router = api::router(control.clone());
        tasks.spawn(async move {
            axum::serve(listener, router)
                .await
                .expect("axum::serve never returns");
        });
        let watched = control.clone();
        tasks.spawn(async move {
            let status = watched.process.exited().await;
            watched.exited(status);
        });
        let watched = control.clone();
        tasks.spawn(async move {
            tokio::time::sleep(init_timeout).await;
            watched.init_overdue();
        });
        Self {
            control,
            _tasks: tasks,
        }
    }

    /// Waits until the closed process has ended and its invocations have their outcome.
    pub(super) async fn ended(&self) {
        let status = within(
            "the end of the previous process",
            self.control.process.exited(),
        )
        .await;
        self.control.exited(status);
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // `Process` would do it too late: connections of the API may keep it alive for a while.
        self.control.process.signal(Signal::SIGKILL);
    }
}
