use super::PATHS;
use crate::lambda::{Event, Sandbox};

/// Of a process at rest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    /// In KiB.
    pub(super) memory: u64,
    pub(super) descriptors: usize,
}

impl Figures {
    pub(super) async fn of(sandbox: &Sandbox) -> Self {
        // Each handle has its connection then, if the last fault has hit the first try, and nothing is
        // owed.
        for path in [PATHS, PATHS].concat() {
            sandbox.invoke(Event::get(&format!("{path}?n=1"))).await;
        }
        sandbox.idle().await;
        let process = format!("/proc/{}", sandbox.pid());
        let status = std::fs::read_to_string(format!("{process}/status")).expect("it runs");
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
        let descriptors = std::fs::read_dir(format!("{process}/fd"))
            .expect("it runs")
            .count();
        Self {
            memory,
            descriptors,
        }
    }
}
