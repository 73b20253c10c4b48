use std::net::SocketAddr;

use lambda_bench::servers::{Mysql, PASSWORD, Postgres};
use sqlx::{Connection, MySqlConnection, PgConnection};

use super::super::with_user;

/// A server with few connections.
pub(super) trait Scarce: Sized {
    const NAME: &str;
    type Connection: Connection;

    /// Starts a server with `slots` connections for ordinary clients and one for the watcher.
    async fn with(slots: usize) -> (Self, Self::Connection);
    /// Returns the URL for the sandbox of this number, at the server's port or a proxy's.
    async fn url_of(&self, sandbox: usize, port: u16) -> String;
    /// Returns the URL for an application beside the function.
    fn url_of_another(&self) -> String;
    fn address(&self) -> SocketAddr;
    /// Returns the function's sessions: the name of the sandbox and the session's id.
    async fn sessions(watcher: &mut Self::Connection) -> Vec<(String, i64)>;
}

impl Scarce for Postgres {
    const NAME: &str = "PostgreSQL";
    type Connection = PgConnection;

    async fn with(slots: usize) -> (Self, PgConnection) {
        // Two connections are reserved, and the watcher takes one.
        let most = (slots + 3).to_string();
        let server = Self::builder()
            .setting("max_connections", &most)
            .setting("superuser_reserved_connections", "2")
            .start()
            .await;
        let watcher = PgConnection::connect(&with_user(&server.url(), "postgres")).await;
        (server, watcher.expect("the superuser can connect"))
    }

    async fn url_of(&self, _: usize, port: u16) -> String {
        self.url_at(port)
    }

    fn url_of_another(&self) -> String {
        self.url() + "?application_name=another"
    }

    fn address(&self) -> SocketAddr {
        self.addr()
    }

    async fn sessions(watcher: &mut PgConnection) -> Vec<(String, i64)> {
        let sql = "select application_name, pid::int8 from pg_stat_activity \
                   where usename = 'app' and application_name <> 'another'";
        let sessions = sqlx::query_as(sql).fetch_all(watcher).await;
        sessions.expect("the administrator can list the sessions")
    }
}

impl Scarce for Mysql {
    const NAME: &str = "MariaDB";
    type Connection = MySqlConnection;

    async fn with(slots: usize) -> (Self, MySqlConnection) {
        let most = (slots + 1).to_string();
        let server = Self::builder()
            .setting("max-connections", &most)
            .start()
            .await;
        let watcher = MySqlConnection::connect(&with_user(&server.url(), "admin")).await;
        (server, watcher.expect("the administrator can connect"))
    }

    /// A session in MariaDB has no name, so each sandbox has its own user.
    async fn url_of(&self, sandbox: usize, port: u16) -> String {
        let user = format!("app{sandbox}");
        let create = format!("create user if not exists {user}@'%' identified by '{PASSWORD}'");
        self.execute(&create).await;
        self.execute(&format!("grant all on app.* to {user}@'%'"))
            .await;
        with_user(&self.url_at(port), &user)
    }

    fn url_of_another(&self) -> String {
        self.url()
    }

    fn address(&self) -> SocketAddr {
        self.addr()
    }

    async fn sessions(watcher: &mut MySqlConnection) -> Vec<(String, i64)> {
        let sql =
            "select user, id from information_schema.processlist where user rlike '^app[0-9]'";
        let sessions = sqlx::query_as(sql).fetch_all(watcher).await;
        sessions.expect("the administrator can list the sessions")
    }
}
