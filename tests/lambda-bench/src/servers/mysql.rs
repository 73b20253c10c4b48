use std::ffi::OsString;
use std::path::PathBuf;

use sqlx::{ConnectOptions as _, Connection as _, MySqlConnection, Row as _};

use super::certificate::Certificate;
use super::database::database_server;
use super::folder::folder_of;
use super::supervised::{Signals, Supervised, run};
use super::{PASSWORD, Session};
use crate::host::{free_port, program};

const USER: &str = "mysql";
const PACKAGE: &str = "mariadb-server";
/// The size of the redo log in every server. The default is 96 MiB, all of it written at once.
const LOG_SIZE: &str = "--innodb-log-file-size=16M";

/// A private MariaDB server.
///
/// The user `app` signs in with a password and has all rights on the database `app`. The
/// administrator is `admin`, with no database.
#[derive(Debug)]
pub struct Mysql {
    server: Supervised,
    port: u16,
}

/// The settings of a [`Mysql`] server before it starts.
#[derive(Debug, Default)]
#[must_use]
pub struct MysqlBuilder {
    settings: Vec<OsString>,
    tls: bool,
}

impl MysqlBuilder {
    /// Sets a system variable of the server, as in `my.cnf`.
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push(format!("--{name}={value}").into());
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
    pub async fn start(self) -> Mysql {
        let folder = folder_of(USER);
        let data = format!("--datadir={}", folder.path().join("data").display());
        // A starting server deletes other servers' temporary files, so each has its own folder.
        let temporary = format!("--tmpdir={}", folder.path().display());
        let options = [
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            LOG_SIZE,
            &data,
            &temporary,
        ];
        let install = [binary("mariadb-install-db")].into_iter();
        run(USER, install.chain(options.map(OsString::from)).collect()).await;

        // The server's own `root` cannot connect over TCP, so `admin` is the administrator. The
        // server runs this file at every start.
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
            .expect("the folder can be written to");

        let port = free_port();
        let in_folder = |name: &str| folder.path().join(name).display().to_string();
        let mut settings = Self::default()
            .setting("port", &port.to_string())
            .setting("bind-address", "127.0.0.1")
            .setting("socket", &in_folder("socket"))
            .setting("pid-file", &in_folder("pid"))
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
            LOG_SIZE.into(),
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
        let mysql = Mysql {
            server: Supervised::new(folder, USER, signals, command),
            port,
        };
        mysql.start_again().await;
        mysql
    }
}

database_server! {
    Mysql, MysqlBuilder, MySqlConnection,
    session_ids: "select id from information_schema.processlist where user = 'app'",
    end_session: "kill {}"
}

impl Mysql {
    /// Returns the sessions of the user `app`, the oldest first. Takes 0.12 s.
    pub async fn sessions(&self) -> Vec<Session> {
        // The server lists transactions from a copy. It renews the copy only when no client
        // has read it for 0.1 s.
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
        rows.expect("the administrator can list the sessions")
            .iter()
            .map(session)
            .collect()
    }

    fn url_of(user: &str, port: u16, database: &str) -> String {
        format!("mysql://{user}:{PASSWORD}@127.0.0.1:{port}/{database}")
    }

    /// Connects without TLS, which takes a fraction of the time.
    async fn admin(&self) -> Result<MySqlConnection, sqlx::Error> {
        let options: sqlx::mysql::MySqlConnectOptions =
            Self::url_of("admin", self.port, "").parse()?;
        let options = options.ssl_mode(sqlx::mysql::MySqlSslMode::Disabled);
        options.disable_statement_logging().connect().await
    }
}

/// Returns a program of the server. Some are in `/usr/sbin`, which may be missing from `PATH`.
fn binary(name: &str) -> OsString {
    program(name, PACKAGE, &[PathBuf::from("/usr/sbin")]).into()
}
