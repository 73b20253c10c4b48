//! The sessions of the fleet, by the server's count.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::server::Scarce;
use super::sockets::most_in_both;

/// The time between two looks. The server ends the session of a closed connection sooner.
const INTERVAL: Duration = Duration::from_millis(100);

/// The sessions of a fleet during its traffic.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// The most sessions that one sandbox had.
    pub(super) most: usize,
    /// The number of sessions at each look, and the time of the look.
    pub(super) counts: Vec<(Duration, usize)>,
}

impl Sessions {
    /// Returns the result of `work`, and the sessions meanwhile.
    pub(super) async fn during<S: Scarce, T>(
        watcher: &mut S::Connection,
        work: impl Future<Output = T>,
    ) -> (T, Self) {
        let mut sessions = Self::default();
        let result = tokio::select! {
            result = work => result,
            never = sessions.watch::<S>(watcher) => match never {},
        };
        (result, sessions)
    }

    async fn watch<S: Scarce>(&mut self, watcher: &mut S::Connection) -> Infallible {
        let begun = Instant::now();
        let mut last = HashMap::new();
        loop {
            let listed = S::sessions(watcher).await;
            self.counts.push((begun.elapsed(), listed.len()));
            let mut now: HashMap<String, BTreeSet<i64>> = HashMap::new();
            for (sandbox, id) in listed {
                now.entry(sandbox).or_default().insert(id);
            }
            self.most = self.most.max(most_in_both(&last, &now));
            last = now;
            sleep(INTERVAL).await;
        }
    }
}
