use std::net::{Ipv4Addr, SocketAddr};

use sqlx::{Connection as _, PgConnection};

use super::folder::folder_of;
use super::supervised::{Signals, Supervised};
use super::{Engine, Installation, PASSWORD, Postgres};
use crate::host::free_port;

const USER: &str = "postgres";

/// A private PgBouncer in front of a [`Postgres`] server, by default in transaction mode.
#[derive(Debug)]
pub struct PgBouncer {
    installation: Installation,
    server: Supervised,
    port: u16,
}

/// The settings of a [`PgBouncer`] before it starts.
#[derive(Debug, Default)]
#[must_use]
pub struct PgBouncerBuilder {
    installation: Option<Installation>,
    settings: String,
}

impl PgBouncerBuilder {
    /// Starts this PgBouncer in place of the one of the test run.
    pub fn on(mut self, installation: Installation) -> Self {
        self.installation = Some(installation);
        self
    }

    /// Starts a PgBouncer of version 1.21 or later, which knows prepared statements: the one of the
    /// test run, or the server `pgbouncer` of `tests/servers`.
    pub fn newer(self) -> Self {
        let selected = selected();
        let is_newer = selected != Installation::of_distribution(Engine::PgBouncer);
        self.on(if is_newer {
            selected
        } else {
            Installation::named("pgbouncer")
        })
    }

    /// Sets a parameter, as in the section `[pgbouncer]` of `pgbouncer.ini`.
    ///
    /// The last value of a parameter counts.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push_str(&format!("{name} = {value}\n"));
        self
    }

    /// Starts PgBouncer.
    ///
    /// # Panics
    ///
    /// If PgBouncer is not installed or does not start.
    pub async fn start(self, postgres: &Postgres) -> PgBouncer {
        let folder = folder_of(USER);
        let (port, at) = (free_port(), folder.path());
        let (users, ini) = (at.join("users.txt"), at.join("pgbouncer.ini"));
        let server = postgres.addr();
        let text = format!(
            "[databases]\n\
             * = host={} port={}\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {port}\n\
             unix_socket_dir =\n\
             auth_type = scram-sha-256\n\
             auth_file = {}\n\
             pool_mode = transaction\n\
             {}",
            server.ip(),
            server.port(),
            users.display(),
            self.settings
        );
        let names = format!("\"app\" \"{PASSWORD}\"\n\"postgres\" \"{PASSWORD}\"\n");
        for (file, text) in [(&users, names), (&ini, text)] {
            tokio::fs::write(file, text)
                .await
                .expect("the folder can be written to");
        }
        let installation = self.installation.unwrap_or_else(selected);
        let command = vec![installation.program("pgbouncer"), ini.into_os_string()];
        let signals = Signals {
            end: "KILL",
            stop: "INT",
        };
        let bouncer = PgBouncer {
            installation,
            server: Supervised::new(folder, USER, signals, command),
            port,
        };
        bouncer.start_again().await;
        bouncer
    }
}

fn selected() -> Installation {
    Installation::selected(&[Engine::PgBouncer])
}

impl PgBouncer {
    /// Returns PgBouncer's name, version and program.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// Starts PgBouncer with the default settings, in transaction mode.
    pub async fn start(postgres: &Postgres) -> Self {
        Self::builder().start(postgres).await
    }

    /// Returns a builder for a PgBouncer with other settings.
    pub fn builder() -> PgBouncerBuilder {
        PgBouncerBuilder::default()
    }

    /// Returns the URL of the database `app` for the user `app`.
    pub fn url(&self) -> String {
        format!("postgres://app:{PASSWORD}@127.0.0.1:{}/app", self.port)
    }

    /// Returns the address on which PgBouncer listens.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Stops PgBouncer once its clients have finished their transactions.
    pub async fn stop(&self) {
        self.server.stop().await;
    }

    /// Starts a stopped PgBouncer on the same port.
    pub async fn start_again(&self) {
        // The console takes no connection of the pool. It refuses a start-up parameter that sqlx
        // sends, and an error of PgBouncer's own shows that it is ready.
        let url = format!(
            "postgres://postgres:{PASSWORD}@127.0.0.1:{}/pgbouncer",
            self.port
        );
        self.server
            .start(async || match PgConnection::connect(&url).await {
                Ok(admin) => admin.close().await,
                Err(sqlx::Error::Database(_)) => Ok(()),
                Err(error) => Err(error),
            })
            .await;
    }
}
