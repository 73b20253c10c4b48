use std::path::PathBuf;
use std::time::Duration;

use tokio::time::sleep;

use super::PATHS;
use lambda_bench::lambda::{Event, Sandbox};
use lambda_bench::proxy::Proxy;
use lambda_bench::wait::until;

/// In which a process hears of an end.
const REST: Duration = Duration::from_millis(200);

/// Of a process at rest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    /// In KiB.
    pub(super) memory: u64,
    pub(super) descriptors: usize,
}

impl Figures {
    pub(super) async fn of(sandbox: &Sandbox, proxy: &Proxy) -> Self {
        // Each handle has its connection then, if the last fault has hit the first try, and nothing is
        // owed.
        for path in [PATHS, PATHS].concat() {
            sandbox.invoke(Event::get(&format!("{path}?n=1"))).await;
        }
        sandbox.idle().await;
        // sqlx's ping on release, if that was black-holed, waits until TCP gives up.
        proxy.forget();
        let mut last = Self::now(sandbox);
        until("a process at rest", async || {
            sleep(REST).await;
            let before = std::mem::replace(&mut last, Self::now(sandbox));
            before.descriptors == last.descriptors
        })
        .await;
        last
    }

    fn now(sandbox: &Sandbox) -> Self {
        let process = PathBuf::from(format!("/proc/{}", sandbox.pid()));
        let status = std::fs::read_to_string(process.join("status")).expect("it runs");
        let memory = status
            .lines()
            .find_map(|line| {
                line.strip_prefix("VmRSS:")?
                    .split_whitespace()
                    .next()?
                    .parse()
                    .ok()
            })
            .expect("it has some");
        let descriptors = std::fs::read_dir(process.join("fd"))
            .expect("it runs")
            .count();
        Self {
            memory,
            descriptors,
        }
    }
}
