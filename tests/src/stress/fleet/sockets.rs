//! The number of connections of each process, by the kernel's count.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::descriptors;

/// The shortest time between two readings.
const INTERVAL: Duration = Duration::from_millis(20);

/// A thread that records the most connections to a port that one process has at once.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<usize>>,
}

impl Watch {
    pub(super) fn start(pids: Vec<i32>, port: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let stop = stop.clone();
            move || {
                let (mut most, mut last) = (0, HashMap::new());
                while !stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    let now = by_process(&pids, port);
                    most = most.max(most_in_both(&last, &now));
                    last = now;
                    // At most a tenth of a core, which the fleet needs.
                    std::thread::sleep(INTERVAL.max(begun.elapsed() * 10));
                }
                most
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }

    /// Ends the thread and returns its record.
    pub(super) fn most(mut self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("the thread is joined once");
        thread.join().expect("the thread does not panic")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Returns the most connections of one holder that are in two successive readings.
///
/// Such connections were open at the same time. A single reading may contain a connection that has
/// ended beside its replacement.
pub(super) fn most_in_both<K: Eq + Hash, V: Ord>(
    last: &HashMap<K, BTreeSet<V>>,
    now: &HashMap<K, BTreeSet<V>>,
) -> usize {
    let both = now
        .iter()
        .filter_map(|(holder, held)| Some(last.get(holder)?.intersection(held).count()));
    both.max().unwrap_or(0)
}

/// Returns the sockets of each process that are connected to `port`.
fn by_process(pids: &[i32], port: u16) -> HashMap<i32, BTreeSet<String>> {
    let connected = descriptors::established_to(port);
    let of_process = |pid: &i32| {
        let sockets = descriptors::sockets(*pid);
        (*pid, sockets.intersection(&connected).cloned().collect())
    };
    pids.iter().map(of_process).collect()
}
