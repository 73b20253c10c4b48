//! The number of sessions of each sandbox, by the server's count.

use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::sleep;

use super::server::Scarce;
use super::sockets::most_in_both;

/// The time between two looks. The server ends the session of a closed connection sooner.
const INTERVAL: Duration = Duration::from_millis(100);

/// Returns the result of `work`, and the most sessions that one sandbox had meanwhile.
pub(super) async fn most_during<S: Scarce, T>(
    watcher: &mut S::Connection,
    work: impl Future<Output = T>,
) -> (T, usize) {
    let most = Cell::new(0);
    let watch = async {
        let mut last = HashMap::new();
        loop {
            let mut now: HashMap<String, BTreeSet<i64>> = HashMap::new();
            for (sandbox, id) in S::sessions(watcher).await {
                now.entry(sandbox).or_default().insert(id);
            }
            most.set(most.get().max(most_in_both(&last, &now)));
            last = now;
            sleep(INTERVAL).await;
        }
    };
    tokio::select! {
        result = work => (result, most.get()),
        never = watch => never,
    }
}
