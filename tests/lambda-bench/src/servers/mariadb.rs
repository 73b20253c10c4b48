use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, MySqlConnection, Row as _};
use tokio::sync::OnceCell;

use super::certificate::{self, Certificate};
use super::supervised::{Signals, Supervised, folder_of, run};
use super::{PASSWORD, Session};
use crate::host::{free_port, program};
use crate::wait::until;

const USER: &str = "mysql";
const PACKAGE: &str = "mariadb-server";

/// A private MariaDB server. The user `app` signs in with a password and has all rights on the
/// database `app`.
#[derive(Debug)]
pub struct Mariadb {
    server: Supervised,
    port: u16,
}

/// What a MariaDB server is to be like.
#[derive(Debug, Default)]
#[must_use]
pub struct MariadbBuilder {
    settings: Vec<OsString>,
    tls: bool,
}

impl MariadbBuilder {
    /// Sets a system variable of the server, as in `my.cnf`.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push(format!("--{name}={value}").into());
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
    pub async fn start(self) -> Mariadb {
        let folder = folder_of(USER);
        let data = format!("--datadir={}", folder.path().join("data").display());
        // A server that starts removes what it takes for its own from there.
        let temporary = format!("--tmpdir={}", folder.path().display());
        let options = [
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            &data,
            &temporary,
        ];
        let install = [binary("mariadb-install-db")]
            .into_iter()
            .chain(options.map(OsString::from));
        run(USER, install.collect()).await;

        // Run at every start: the administrator is reached over TCP, where the server's own `root`
        // is not.
        let users = folder.path().join("users.sql");
        let sql = format!(
            "create database if not exists app;\n\
             create user if not exists app@'%' identified by '{PASSWORD}';\n\
             grant all on app.* to app@'%';\n\
             create user if not exists admin@'%' identified by '{PASSWORD}';\n\
             grant all on *.* to admin@'%' with grant option;\n"
        );
        tokio::fs::write(&users, sql)
            .await
            .expect("the folder is ours");

        let port = free_port();
        let mut settings = Self::default()
            .setting("port", &port.to_string())
            .setting("bind-address", "127.0.0.1")
            .setting(
                "socket",
                &folder.path().join("socket").display().to_string(),
            )
            .setting("pid-file", &folder.path().join("pid").display().to_string())
            .setting("init-file", &users.display().to_string())
            .setting("skip-name-resolve", "1")
            .setting("innodb-buffer-pool-size", "16M")
            .setting("innodb-flush-log-at-trx-commit", "0");
        if self.tls {
            let files = Certificate::issue(folder.path(), USER);
            settings = settings
                .setting("ssl-cert", &files.certificate.display().to_string())
                .setting("ssl-key", &files.key.display().to_string());
        }
        let command = [
            binary("mariadbd"),
            "--no-defaults".into(),
            data.into(),
            temporary.into(),
        ];
        let command = command
            .into_iter()
            .chain(settings.settings)
            .chain(self.settings)
            .collect();
        let signals = Signals {
            end: "KILL",
            stop: "TERM",
        };
        let mariadb = Mariadb {
            server: Supervised::new(folder, USER, signals, command),
            port,
        };
        mariadb.start_again().await;
        mariadb
    }
}

impl Mariadb {
    /// Starts a server with its default settings.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Describes a server with settings of its own.
    pub fn builder() -> MariadbBuilder {
        MariadbBuilder::default()
    }

    /// The one server that the tests of this process share: for those that do not stop it and count
    /// only their own sessions.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Mariadb> = OnceCell::const_new();
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

    /// The id of the server's process while it runs.
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

    /// Stops the server: sessions are ended, and new connections refused.
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

    /// The sessions of the user `app`, the oldest first. Takes a tenth of a second.
    pub async fn sessions(&self) -> Vec<Session> {
        // What the server tells of transactions is a copy, renewed when nobody has read it for 0.1
        // s.
        let sql = "do sleep(0.12); \
                   select p.id, p.command, coalesce(p.info, ''), t.trx_id is not null \
                   from information_schema.processlist p \
                   left join information_schema.innodb_trx t on t.trx_mysql_thread_id = p.id \
                   where p.user = 'app' order by p.id";
        let rows = sqlx::raw_sql(sql)
            .fetch_all(&mut self.ready_admin().await)
            .await;
        let session = |row: &sqlx::mysql::MySqlRow| Session {
            pid: row.get(0),
            state: row.get(1),
            query: row.get(2),
            in_transaction: row.get(3),
            application_name: String::new(),
        };
        rows.expect("the server knows its sessions")
            .iter()
            .map(session)
            .collect()
    }

    /// Ends the sessions of the user `app` as an administrator does, and waits until they are gone.
    /// The answer is their number.
    pub async fn end_sessions(&self) -> usize {
        let ended = self.session_ids().await;
        for id in &ended {
            // One that ended by itself in the meantime is ended, too.
            let kill = AssertSqlSafe(format!("kill {id}"));
            let _ = sqlx::raw_sql(kill)
                .execute(&mut self.ready_admin().await)
                .await;
        }
        until("the end of the sessions", async || {
            let left = self.session_ids().await;
            !left.iter().any(|id| ended.contains(id))
        })
        .await;
        ended.len()
    }

    async fn session_ids(&self) -> Vec<i64> {
        let sql = "select id from information_schema.processlist where user = 'app'";
        let ids = sqlx::query_scalar(sql)
            .fetch_all(&mut self.ready_admin().await)
            .await;
        ids.expect("the server knows its sessions")
    }

    /// Runs a statement as the administrator, in no database.
    pub async fn execute(&self, sql: &str) {
        let result = sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut self.ready_admin().await)
            .await;
        result.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    async fn ready_admin(&self) -> MySqlConnection {
        self.admin().await.expect("the administrator gets in")
    }

    async fn admin(&self) -> Result<MySqlConnection, sqlx::Error> {
        let options: sqlx::mysql::MySqlConnectOptions = url("admin", self.port, "").parse()?;
        options.disable_statement_logging().connect().await
    }
}

fn url(user: &str, port: u16, database: &str) -> String {
    format!("mysql://{user}:{PASSWORD}@127.0.0.1:{port}/{database}")
}

/// A program of the server's; some are in `/usr/sbin`, which is not in everyone's `PATH`.
fn binary(name: &str) -> OsString {
    program(name, PACKAGE, &[PathBuf::from("/usr/sbin")]).into()
}
