use crate::servers::{Mariadb, Postgres};

/// A server with few connections.
pub(super) trait Scarce: Sized {
    const NAME: &str;

    /// One that has `slots` connections for the user `app`.
    async fn with(slots: usize) -> Self;
    fn url(&self) -> String;
    fn port(&self) -> u16;
}

impl Scarce for Postgres {
    const NAME: &str = "PostgreSQL";

    async fn with(slots: usize) -> Self {
        // Three are reserved.
        let most = (slots + 3).to_string();
        Self::builder()
            .setting("max_connections", &most)
            .start()
            .await
    }

    fn url(&self) -> String {
        self.url()
    }

    fn port(&self) -> u16 {
        self.addr().port()
    }
}

impl Scarce for Mariadb {
    const NAME: &str = "MariaDB";

    async fn with(slots: usize) -> Self {
        let most = slots.to_string();
        Self::builder()
            .setting("max-connections", &most)
            .start()
            .await
    }

    fn url(&self) -> String {
        self.url()
    }

    fn port(&self) -> u16 {
        self.addr().port()
    }
}
