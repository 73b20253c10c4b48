//! The operations that the faults need of a server.

use std::net::SocketAddr;

use lambda_bench::servers::{Mysql, Postgres, Session};
use lambda_bench::wait::until;
use sqlx::{Connection as _, MySqlConnection, PgConnection};

use super::super::with_user;

/// A server of the matrix, with the table `notes` and 12 connections.
///
/// The function's user is `app`. The user `others` takes connections from it.
pub(super) trait Server: Sized {
    const NAME: &'static str;
    /// Bytes that the server sends in the middle of a handshake, before TLS begins.
    const HANDSHAKE: &'static str;
    /// The server's or the driver's message for a query whose session has ended.
    const ENDED: &'static str;
    type Connection;

    async fn launch() -> Self;
    fn url_at(&self, port: u16) -> String;
    fn addr(&self) -> SocketAddr;
    fn pid(&self) -> Option<i32>;
    async fn restart(&self);
    async fn sessions(&self) -> Vec<Session>;
    async fn end_sessions(&self) -> usize;
    /// Rejects the function's writes from now on, or accepts them again. Its sessions continue.
    async fn set_read_only(&self, read_only: bool);
    async fn set_password(&self, password: &str);
    async fn drop_role(&self);
    async fn create_role(&self);
    async fn administrator(&self) -> Self::Connection;
    /// Connects as the user `others`. Returns `None` if no connection is left.
    async fn another(&self) -> Option<Self::Connection>;
    /// Returns `true` while the server runs the function's long query.
    async fn runs_query(administrator: &mut Self::Connection) -> bool;
    /// Returns all rows of the table `notes`.
    async fn notes(&self) -> Vec<i64>;
}

macro_rules! server {
    (
        $server:ident, $connection:ident, $name:literal, administrator: $administrator:literal,
        without_tls: $without_tls:literal, running: $running:literal,
        connections: $connections:literal,
        handshake: $handshake:literal, ended: $ended:literal, set_up: [$($set_up:literal),+],
        read_only: [$($set_read_only:literal),+], writable: [$($set_writable:literal),+],
        is_read_only: $is_read_only:literal, password: $password:literal, drop: $drop:literal,
        create: [$($create:literal),+]
    ) => {
        impl Server for $server {
            const NAME: &'static str = $name;
            const HANDSHAKE: &'static str = $handshake;
            const ENDED: &'static str = $ended;
            type Connection = $connection;

            async fn launch() -> Self {
                let server = Self::builder().tls().setting($connections, "12").start().await;
                let mut administrator = server.administrator().await;
                $(sqlx::raw_sql($set_up).execute(&mut administrator).await.expect($set_up);)+
                administrator.close().await.expect("an orderly end");
                server
            }

            fn url_at(&self, port: u16) -> String {
                self.url_at(port)
            }

            fn addr(&self) -> SocketAddr {
                self.addr()
            }

            fn pid(&self) -> Option<i32> {
                self.pid()
            }

            async fn restart(&self) {
                self.restart().await;
            }

            async fn sessions(&self) -> Vec<Session> {
                self.sessions().await
            }

            async fn end_sessions(&self) -> usize {
                self.end_sessions().await
            }

            async fn set_read_only(&self, read_only: bool) {
                if read_only {
                    $(self.execute($set_read_only).await;)+
                } else {
                    $(self.execute($set_writable).await;)+
                }
                // Once a new session has the setting, the existing ones have been notified.
                until("the new setting", async || {
                    let mut app = $connection::connect(&(self.url() + $without_tls))
                        .await
                        .expect("a connection");
                    let now: Result<i64, _> =
                        sqlx::query_scalar($is_read_only).fetch_one(&mut app).await;
                    app.close().await.expect("an orderly end");
                    (now.expect("an answer") != 0) == read_only
                })
                .await;
            }

            async fn set_password(&self, password: &str) {
                self.execute(&format!($password, password)).await;
            }

            async fn drop_role(&self) {
                self.execute($drop).await;
            }

            async fn create_role(&self) {
                $(self.execute($create).await;)+
            }

            async fn administrator(&self) -> $connection {
                let url = with_user(&self.url(), $administrator) + $without_tls;
                $connection::connect(&url).await.expect("the administrator can connect")
            }

            async fn another(&self) -> Option<$connection> {
                let url = with_user(&self.url(), "others") + $without_tls;
                $connection::connect(&url).await.ok()
            }

            async fn runs_query(administrator: &mut $connection) -> bool {
                let count = sqlx::query_scalar::<_, i64>($running).fetch_one(administrator).await;
                count.expect("an answer") > 0
            }

            async fn notes(&self) -> Vec<i64> {
                let mut administrator = self.administrator().await;
                let notes = sqlx::query_scalar("select n from notes");
                let notes = notes.fetch_all(&mut administrator).await;
                administrator.close().await.expect("an orderly end");
                notes.expect("the notes")
            }
        }
    };
}

server! {
    Postgres, PgConnection, "PostgreSQL", administrator: "postgres",
    without_tls: "?sslmode=disable",
    running: "select count(*) from pg_stat_activity \
              where usename = 'app' and wait_event = 'PgSleep'",
    connections: "max_connections", handshake: "S",
    ended: "terminating connection due to administrator command",
    set_up: [
        "create table notes (n int8)",
        // The role can be dropped only if it owns nothing.
        "alter database app owner to postgres",
        "create role writers",
        "grant select, insert on notes to writers",
        "grant writers to app",
        "create role others login password 's3cret'"
    ],
    read_only: ["alter system set default_transaction_read_only = on", "select pg_reload_conf()"],
    writable: ["alter system reset default_transaction_read_only", "select pg_reload_conf()"],
    is_read_only: "select (current_setting('transaction_read_only') = 'on')::int::int8",
    password: "alter role app password '{}'", drop: "drop role app",
    create: ["create role app login password 's3cret'", "grant writers to app"]
}

server! {
    Mysql, MySqlConnection, "MariaDB", administrator: "admin",
    without_tls: "?ssl-mode=disabled",
    running: "select count(*) from information_schema.processlist \
              where user = 'app' and state = 'User sleep'",
    connections: "max-connections", handshake: "mysql_native_password",
    ended: "communicating with database",
    set_up: [
        "create table notes (n bigint)",
        "create user others@'%' identified by 's3cret'",
        "grant select on app.* to others@'%'"
    ],
    read_only: ["set global read_only = 1"], writable: ["set global read_only = 0"],
    is_read_only: "select cast(@@global.read_only as signed)",
    password: "alter user app@'%' identified by '{}'", drop: "drop user app@'%'",
    create: ["create user app@'%' identified by 's3cret'", "grant all on app.* to app@'%'"]
}
