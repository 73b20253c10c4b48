use std::ffi::OsString;

use sqlx::{ConnectOptions as _, Connection as _, PgConnection, Row as _};

use super::certificate::Certificate;
use super::database::database_server;
use super::folder::folder_of;
use super::supervised::{Signals, Supervised, run};
use super::{Engine, Installation, PASSWORD, Session};
use crate::host::free_port;

const USER: &str = "postgres";
/// The SCRAM verifier of [`PASSWORD`] with one iteration (RFC 5803).
///
/// PostgreSQL's default is 4,096 iterations, which take 25 ms a connection in a debug build.
const VERIFIER: &str = "SCRAM-SHA-256$1:bGFtYmRhLWJlbmNoIHNhbA==\
    $5skMPqGQvo4WkrzmcOfuW45GcdYL7y7NqWFnPI93wiM=:BxArAfXg+Y9Jue5kTWiNWKRhGlZDqr5yDoR5+Bc+DJU=";

/// A private PostgreSQL server.
///
/// The user `app` signs in with a password (SCRAM) and owns the database `app`. The administrator
/// is `postgres`, in the database `postgres`.
#[derive(Debug)]
pub struct Postgres {
    installation: Installation,
    server: Supervised,
    port: u16,
}

/// The settings of a [`Postgres`] server before it starts.
#[derive(Debug, Default)]
#[must_use]
pub struct PostgresBuilder {
    installation: Option<Installation>,
    settings: Vec<OsString>,
    tls: bool,
}

impl PostgresBuilder {
    /// Starts this server in place of the one of the test run.
    pub fn on(mut self, installation: Installation) -> Self {
        self.installation = Some(installation);
        self
    }

    /// Sets a parameter of the server, as in `postgresql.conf`.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings
            .extend(["-c".into(), format!("{name}={value}").into()]);
        self
    }

    /// Enables TLS, with a certificate for 127.0.0.1. Connections without TLS stay possible.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Starts the server.
    ///
    /// # Panics
    ///
    /// If the server's programs are not installed, or the server does not start.
    pub async fn start(self) -> Postgres {
        let selected = || Installation::selected(&[Engine::Postgres]);
        let installation = self.installation.unwrap_or_else(selected);
        let folder = folder_of(USER);
        let (data, password) = (folder.path().join("data"), folder.path().join("password"));
        // Before 14, initdb reads no more than 99 bytes of a password.
        let is_cut_off = installation.major() < 14;
        tokio::fs::write(&password, if is_cut_off { PASSWORD } else { VERIFIER })
            .await
            .expect("the folder can be written to");
        let options = [
            "--no-sync".to_owned(),
            "--no-locale".to_owned(),
            "--encoding=UTF8".to_owned(),
            format!("--username={USER}"),
            "--auth=scram-sha-256".to_owned(),
            format!("--pwfile={}", password.display()),
            format!("--pgdata={}", data.display()),
        ];
        let initdb = [installation.program("initdb")].into_iter();
        run(USER, initdb.chain(options.map(OsString::from)).collect()).await;

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
        let command = [installation.program("postgres"), "-D".into(), data.into()]
            .into_iter()
            .chain(settings.settings)
            .chain(self.settings)
            .collect();
        let signals = Signals {
            end: "QUIT",
            stop: "INT",
        };
        let postgres = Postgres {
            installation,
            server: Supervised::new(folder, USER, signals, command),
            port,
        };
        postgres.start_again().await;
        if is_cut_off {
            let role = format!("alter role {USER} password '{VERIFIER}'");
            postgres.execute(&role).await;
        }
        postgres
            .execute(&format!("create role app login password '{VERIFIER}'"))
            .await;
        postgres.execute("create database app owner app").await;
        postgres
    }
}

database_server! {
    Postgres, PostgresBuilder, PgConnection,
    session_ids: "select pid::int8 from pg_stat_activity where usename = 'app'",
    end_session: "select pg_terminate_backend({})"
}

impl Postgres {
    /// Returns the server's major version, such as 17.
    pub fn major(&self) -> u32 {
        self.installation.major()
    }

    /// Returns the server's log since its first start.
    pub fn log(&self) -> String {
        self.server.log()
    }

    /// Returns the sessions of the user `app`, the oldest first.
    pub async fn sessions(&self) -> Vec<Session> {
        let sql = "select pid::int8, coalesce(state, ''), query, xact_start is not null, \
                   application_name \
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
        rows.expect("the administrator can list the sessions")
            .iter()
            .map(session)
            .collect()
    }

    fn url_of(user: &str, port: u16, database: &str) -> String {
        format!("postgres://{user}:{PASSWORD}@127.0.0.1:{port}/{database}")
    }

    /// Connects without TLS, which takes a quarter of the time.
    async fn admin(&self) -> Result<PgConnection, sqlx::Error> {
        let options: sqlx::postgres::PgConnectOptions =
            Self::url_of(USER, self.port, "postgres").parse()?;
        let options = options.ssl_mode(sqlx::postgres::PgSslMode::Disable);
        options.disable_statement_logging().connect().await
    }
}
