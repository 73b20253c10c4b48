use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _};
use tokio::sync::OnceCell;

use super::certificate::{self, Certificate};
use super::supervised::{Signals, Supervised, folder_of, run};
use super::{PASSWORD, Session};
use crate::host::{free_port, program};
use crate::wait::until;

const USER: &str = "postgres";
const PACKAGE: &str = "postgresql";

/// A private PostgreSQL server. The user `app` signs in with a password (SCRAM) and owns the
/// database `app`.
#[derive(Debug)]
pub struct Postgres {
    server: Supervised,
    port: u16,
}

/// What a PostgreSQL server is to be like.
#[derive(Debug, Default)]
#[must_use]
pub struct PostgresBuilder {
    settings: Vec<OsString>,
    tls: bool,
}

impl PostgresBuilder {
    /// Sets a parameter of the server, as in `postgresql.conf`.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings
            .extend(["-c".into(), format!("{name}={value}").into()]);
        self
    }

    /// Has it speak TLS with those that ask for it, with a certificate for 127.0.0.1.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Starts the server.
    ///
    /// # Panics
    ///
    /// If the server's programs are not installed, or it does not start.
    pub async fn start(self) -> Postgres {
        let folder = folder_of(USER);
        let (data, password) = (folder.path().join("data"), folder.path().join("password"));
        tokio::fs::write(&password, PASSWORD)
            .await
            .expect("the folder is ours");
        let options = [
            "--no-sync",
            "--no-locale",
            "--encoding=UTF8",
            "--username=postgres",
            "--auth=scram-sha-256",
        ];
        let files = [
            format!("--pwfile={}", password.display()),
            format!("--pgdata={}", data.display()),
        ];
        let options = options
            .map(OsString::from)
            .into_iter()
            .chain(files.map(OsString::from));
        run(
            USER,
            [binary("initdb")].into_iter().chain(options).collect(),
        )
        .await;

        let port = free_port();
        let mut settings = Self::default()
            .setting("listen_addresses", "127.0.0.1")
            .setting("port", &port.to_string())
            .setting("unix_socket_directories", "")
            .setting("shared_buffers", "16MB")
            .setting("fsync", "off")
            .setting("full_page_writes", "off");
        if self.tls {
            let files = Certificate::issue(folder.path(), USER);
            settings = settings
                .setting("ssl", "on")
                .setting("ssl_cert_file", &files.certificate.display().to_string())
                .setting("ssl_key_file", &files.key.display().to_string());
        }
        let command = [binary("postgres"), "-D".into(), data.into()]
            .into_iter()
            .chain(settings.settings)
            .chain(self.settings)
            .collect();
        let signals = Signals {
            end: "QUIT",
            stop: "INT",
        };
        let postgres = Postgres {
            server: Supervised::new(folder, USER, signals, command),
            port,
        };
        postgres.start_again().await;
        postgres
            .execute(&format!("create role app login password '{PASSWORD}'"))
            .await;
        postgres.execute("create database app owner app").await;
        postgres
    }
}

impl Postgres {
    /// Starts a server with its default settings.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Describes a server with settings of its own.
    pub fn builder() -> PostgresBuilder {
        PostgresBuilder::default()
    }

    /// The one server that the tests of this process share: for those that do not stop it and count
    /// only their own sessions.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Postgres> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// The URL of the database `app` for the user `app`.
    pub fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// The same with another port: a proxy's.
    pub fn url_at(&self, port: u16) -> String {
        url("app", port, "app")
    }

    /// Where the server listens.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The id of the server's first process while it runs.
    pub fn pid(&self) -> Option<i32> {
        self.server.pid()
    }

    /// The folder that holds the server's data and log.
    pub fn folder(&self) -> &std::path::Path {
        self.server.folder()
    }

    /// Who vouches for its certificate: a file for `sslrootcert` or `ssl-ca`.
    pub fn authority(&self) -> PathBuf {
        certificate::authority(self.folder())
    }

    /// Stops the server: sessions are told (57P01) and ended, and new connections refused.
    pub async fn stop(&self) {
        self.server.stop().await;
    }

    /// Starts a stopped server on the same port and data.
    pub async fn start_again(&self) {
        self.server
            .start(async || self.admin().await?.close().await)
            .await;
    }

    /// Stops the server and starts it again.
    pub async fn restart(&self) {
        self.stop().await;
        self.start_again().await;
    }

    /// The sessions of the user `app`, the oldest first.
    pub async fn sessions(&self) -> Vec<Session> {
        let sql = "select pid::int8, coalesce(state, ''), query, xact_start is not null, application_name \
                   from pg_stat_activity where usename = 'app' order by backend_start";
        let rows = sqlx::raw_sql(sql)
            .fetch_all(&mut self.ready_admin().await)
            .await;
        let session = |row: &sqlx::postgres::PgRow| Session {
            pid: row.get(0),
            state: row.get(1),
            query: row.get(2),
            in_transaction: row.get(3),
            application_name: row.get(4),
        };
        rows.expect("the server knows its sessions")
            .iter()
            .map(session)
            .collect()
    }

    /// Ends the sessions of the user `app` as an administrator does, and waits until they are gone.
    /// The answer is their number.
    pub async fn end_sessions(&self) -> usize {
        let sessions = self.sessions().await;
        for session in &sessions {
            self.execute(&format!("select pg_terminate_backend({})", session.pid))
                .await;
        }
        until("the end of the sessions", async || {
            let left = self.sessions().await;
            !left
                .iter()
                .any(|left| sessions.iter().any(|ended| ended.pid == left.pid))
        })
        .await;
        sessions.len()
    }

    /// Runs a statement in the database `postgres` as the superuser.
    pub async fn execute(&self, sql: &str) {
        let result = sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut self.ready_admin().await)
            .await;
        result.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    async fn ready_admin(&self) -> PgConnection {
        self.admin().await.expect("the superuser gets in")
    }

    async fn admin(&self) -> Result<PgConnection, sqlx::Error> {
        let options: sqlx::postgres::PgConnectOptions =
            url("postgres", self.port, "postgres").parse()?;
        options.disable_statement_logging().connect().await
    }
}

fn url(user: &str, port: u16, database: &str) -> String {
    format!("postgres://{user}:{PASSWORD}@127.0.0.1:{port}/{database}")
}

/// A program of the newest version installed: Debian keeps them out of `PATH`.
fn binary(name: &str) -> OsString {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort_by_key(|folder| {
        let version = folder
            .parent()
            .and_then(|parent| parent.file_name()?.to_str()?.parse::<u32>().ok());
        std::cmp::Reverse(version)
    });
    program(name, PACKAGE, &folders).into()
}
