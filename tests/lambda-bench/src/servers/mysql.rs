use std::ffi::OsString;
use std::path::Path;

use sqlx::{ConnectOptions as _, Connection as _, MySqlConnection, Row as _};

use super::certificate::Certificate;
use super::database::database_server;
use super::folder::folder_of;
use super::supervised::{Signals, Supervised, run};
use super::{Engine, Installation, PASSWORD, Session};
use crate::host::free_port;

const USER: &str = "mysql";

/// A private server of MySQL or MariaDB.
///
/// The user `app` signs in with a password and has all rights on the database `app`. The
/// administrator is `admin`, with no database.
#[derive(Debug)]
pub struct Mysql {
    installation: Installation,
    server: Supervised,
    port: u16,
}

/// The settings of a [`Mysql`] server before it starts.
#[derive(Debug, Default)]
#[must_use]
pub struct MysqlBuilder {
    installation: Option<Installation>,
    settings: Vec<OsString>,
    tls: bool,
}

impl MysqlBuilder {
    /// Starts this server in place of the one of the test run.
    pub fn on(mut self, installation: Installation) -> Self {
        self.installation = Some(installation);
        self
    }

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
        let selected = || Installation::selected(&[Engine::Mariadb, Engine::Mysql]);
        let installation = self.installation.unwrap_or_else(selected);
        let folder = folder_of(USER);
        let data = folder.path().join("data");
        run(USER, set_up(&installation, folder.path(), &data)).await;

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
            .setting("innodb-buffer-pool-size", "16M")
            .setting("innodb-flush-log-at-trx-commit", "0");
        // Once turned on, MySQL does not turn it off.
        let resolves_names = self
            .settings
            .iter()
            .any(|setting| setting == "--skip-name-resolve=OFF");
        if !resolves_names {
            settings = settings.setting("skip-name-resolve", "ON");
        }
        if self.tls {
            let files = Certificate::issue(folder.path(), USER);
            settings = settings
                .setting("ssl-cert", &files.certificate.display().to_string())
                .setting("ssl-key", &files.key.display().to_string());
        }
        let command = start(&installation, folder.path(), &data, self.tls)
            .into_iter()
            .chain(settings.settings)
            .chain(self.settings)
            .collect();
        let signals = Signals {
            end: "KILL",
            stop: "TERM",
        };
        let mysql = Mysql {
            installation,
            server: Supervised::new(folder, USER, signals, command),
            port,
        };
        mysql.start_again().await;
        mysql
    }
}

/// Returns the command that creates a server's data.
fn set_up(installation: &Installation, folder: &Path, data: &Path) -> Vec<OsString> {
    if let Some(prepared) = installation.data() {
        return vec!["cp".into(), "-r".into(), prepared.into(), data.into()];
    }
    let (program, options): (_, &[_]) = match installation.engine() {
        Engine::Mariadb => (
            "mariadb-install-db",
            &["--auth-root-authentication-method=normal", "--skip-test-db"],
        ),
        _ => ("mysqld", &["--initialize-insecure"]),
    };
    command(installation, program, options, [folder, data])
}

/// Returns the command that starts a server, without the settings of a test.
fn start(installation: &Installation, folder: &Path, data: &Path, tls: bool) -> Vec<OsString> {
    let (program, options): (_, &[_]) = match installation.engine() {
        Engine::Mariadb => ("mariadbd", &[]),
        // Neither a second port nor a folder that only the package creates.
        _ if tls => ("mysqld", &["--mysqlx=OFF", "--secure-file-priv=NULL"]),
        // MySQL has made itself a certificate, and offers TLS unless it knows no version of it.
        _ => (
            "mysqld",
            &["--mysqlx=OFF", "--secure-file-priv=NULL", "--tls-version="],
        ),
    };
    command(installation, program, options, [folder, data])
}

fn command(
    installation: &Installation,
    program: &str,
    options: &[&str],
    [folder, data]: [&Path; 2],
) -> Vec<OsString> {
    // The default size of MariaDB's redo log is 96 MiB, all of it written at once.
    let log_size = match installation.engine() {
        Engine::Mariadb => "--innodb-log-file-size=16M",
        _ => "--innodb-redo-log-capacity=16M",
    };
    [installation.program(program), "--no-defaults".into()]
        .into_iter()
        .chain(options.iter().map(OsString::from))
        .chain([
            log_size.into(),
            format!("--datadir={}", data.display()).into(),
            // A starting server deletes other servers' temporary files, so each has its own folder.
            format!("--tmpdir={}", folder.display()).into(),
        ])
        .collect()
}

database_server! {
    Mysql, MysqlBuilder, MySqlConnection,
    session_ids: "select cast(id as signed) from information_schema.processlist where user = 'app'",
    end_session: "kill {}"
}

impl Mysql {
    /// Returns `true` for MariaDB, and `false` for MySQL.
    pub fn is_mariadb(&self) -> bool {
        self.installation.engine() == Engine::Mariadb
    }

    /// Returns a number of `show global status`, such as `Threads_connected`.
    pub async fn status(&self, name: &str) -> i64 {
        let sql = format!("show global status like '{name}'");
        let row = sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .fetch_one(&mut self.ready_admin().await)
            .await;
        let value: String = row.expect("the server counts it").get(1);
        value.parse().expect("the server counts it")
    }

    /// Returns the sessions of the user `app`, the oldest first. Takes 0.12 s.
    pub async fn sessions(&self) -> Vec<Session> {
        // The server lists transactions from a copy. It renews the copy only when no client
        // has read it for 0.1 s.
        let sql = "do sleep(0.12); \
                   select cast(p.id as signed), p.command, coalesce(p.info, ''), t.trx_id is not null \
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
