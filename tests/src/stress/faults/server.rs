//! The servers, as faults need them.

use std::net::SocketAddr;

use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, PgConnection};

use lambda_bench::servers::{Mariadb, Postgres, Session};
use lambda_bench::wait::until;

/// A server of the matrix, with the table `notes`, few connections, and the user `others` beside the
/// function's own, `app`.
pub(super) trait Server: Sized {
    const NAME: &'static str;
    /// What the server says in the middle of a handshake: in clear text, before TLS begins.
    const HANDSHAKE: &'static str;
    /// What is said of a query whose session is ended: by the server, or by the driver.
    const ENDED: &'static str;
    type Connection;

    async fn launch() -> Self;
    fn url_at(&self, port: u16) -> String;
    fn addr(&self) -> SocketAddr;
    fn pid(&self) -> Option<i32>;
    async fn restart(&self);
    async fn sessions(&self) -> Vec<Session>;
    async fn end_sessions(&self) -> usize;
    /// From now on it takes no writes of the function's, whose sessions go on; or it does again.
    async fn set_read_only(&self, read_only: bool);
    async fn set_password(&self, password: &str);
    async fn drop_role(&self);
    async fn create_role(&self);
    async fn administrator(&self) -> Self::Connection;
    /// A connection of the user `others`, if there is one left.
    async fn another(&self) -> Option<Self::Connection>;
    /// Whether it has begun the long query of a session, and not ended it.
    async fn is_napping(administrator: &mut Self::Connection) -> bool;
    /// All that was written.
    async fn notes(&self) -> Vec<i64>;
}

/// The URL for another user of the same password.
fn of_user(url: &str, user: &str) -> String {
    url.replacen("app:", &format!("{user}:"), 1)
}

macro_rules! server {
    (
        $server:ident, $connection:ident, $name:literal, administrator: $administrator:literal, napping: $napping:literal,
        connections: $connections:literal, handshake: $handshake:literal, ended: $ended:literal,
        set_up: [$($set_up:literal),+], read_only: [$($set_read_only:literal),+], writable: [$($set_writable:literal),+],
        is_read_only: $is_read_only:literal, password: $password:literal, drop: $drop:literal, create: [$($create:literal),+]
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
                administrator.close().await.expect("an end");
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
                // A new session knows it no sooner than those that are there are told.
                until("the server's change of heart", async || {
                    let mut app = $connection::connect(&self.url()).await.expect("a connection");
                    let now: i64 =
                        sqlx::query_scalar($is_read_only).fetch_one(&mut app).await.expect("an answer");
                    app.close().await.expect("an end");
                    (now != 0) == read_only
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
                let url = of_user(&self.url(), $administrator);
                $connection::connect(&url).await.expect("the administrator gets in")
            }

            async fn another(&self) -> Option<$connection> {
                $connection::connect(&of_user(&self.url(), "others")).await.ok()
            }

            async fn is_napping(administrator: &mut $connection) -> bool {
                let count = sqlx::query_scalar::<_, i64>($napping).fetch_one(administrator).await;
                count.expect("an answer") > 0
            }

            async fn notes(&self) -> Vec<i64> {
                let mut administrator = self.administrator().await;
                let notes = AssertSqlSafe("select n from notes");
                let notes =
                    sqlx::query_scalar(notes).fetch_all(&mut administrator).await.expect("the notes");
                administrator.close().await.expect("an end");
                notes
            }
        }
    };
}

server! {
    Postgres, PgConnection, "PostgreSQL", administrator: "postgres",
    napping: "select count(*) from pg_stat_activity where usename = 'app' and wait_event = 'PgSleep'",
    connections: "max_connections", handshake: "S",
    ended: "terminating connection due to administrator command",
    set_up: [
        "create table notes (n int8)",
        // So that the role can be dropped: nothing is its own.
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
    Mariadb, MySqlConnection, "MariaDB", administrator: "admin",
    napping: "select count(*) from information_schema.processlist where user = 'app' and state = 'User sleep'",
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
