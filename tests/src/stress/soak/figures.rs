use std::path::PathBuf;
use std::time::Duration;

use lambda_bench::lambda::{Event, Sandbox};
use lambda_bench::proxy::Proxy;
use lambda_bench::wait::until;
use tokio::time::sleep;

use super::PATHS;
use crate::descriptors;

/// The time in which a process notices that a connection has ended.
const REST: Duration = Duration::from_millis(200);

/// A second more than the time after which a ping in a black hole is given up.
const GIVEN_UP: Duration = Duration::from_millis(1_500);

/// The memory and file descriptors of an idle process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    /// The resident set in KiB.
    pub(super) memory: u64,
    pub(super) descriptors: usize,
}

impl Figures {
    pub(super) async fn of(sandbox: &Sandbox, proxy: &Proxy) -> Self {
        // The last fault may fail the first invocation of each handle. After the second, each
        // handle has its connection and no work is pending.
        for path in [PATHS, PATHS].concat() {
            sandbox.invoke(Event::get(&format!("{path}?n=1"))).await;
        }
        sandbox.idle().await;
        if !descriptors::can_be_duplicated() {
            // Only the end of its connection ends such a ping.
            proxy.forget();
        }
        sleep(GIVEN_UP).await;
        let mut last = Self::now(sandbox);
        until("an unchanged number of descriptors", async || {
            sleep(REST).await;
            let before = std::mem::replace(&mut last, Self::now(sandbox));
            before.descriptors == last.descriptors
        })
        .await;
        // The server still has the sessions of black-holed connections, up to its limit.
        proxy.forget();
        last
    }

    fn now(sandbox: &Sandbox) -> Self {
        let process = PathBuf::from(format!("/proc/{}", sandbox.pid()));
        let status = std::fs::read_to_string(process.join("status")).expect("the process runs");
        let memory = status
            .lines()
            .find_map(|line| {
                line.strip_prefix("VmRSS:")?
                    .split_whitespace()
                    .next()?
                    .parse()
                    .ok()
            })
            .expect("a process has memory");
        Self {
            memory,
            descriptors: descriptors::count(sandbox.pid()),
        }
    }
}
