use std::time::Duration;

use sqlx::Connection;
use tokio::time::sleep;

/// The pause of the application after an attempt that failed.
const PAUSE: Duration = Duration::from_millis(50);

/// An application beside the fleet, which holds connections for good.
pub(super) struct Another<C> {
    connections: Vec<C>,
}

impl<C: Connection> Another<C> {
    pub(super) fn new() -> Self {
        Self {
            connections: Vec::new(),
        }
    }

    pub(super) fn holds(&self) -> usize {
        self.connections.len()
    }

    /// Connects, again and again, until it has `count` connections.
    pub(super) async fn take(&mut self, url: &str, count: usize) {
        while self.connections.len() < count {
            match C::connect(url).await {
                Ok(connection) => self.connections.push(connection),
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    pub(super) async fn close(self) {
        for connection in self.connections {
            // The server ends a session that does not close in order.
            let _ = connection.close().await;
        }
    }
}
