//! PostgreSQL and MariaDB behind one trait, and tests that run on both.

use std::net::SocketAddr;

use lambda_bench::servers::{Mysql, Postgres, Session};
use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, PgConnection};

/// A server that a test has started.
#[expect(async_fn_in_trait, reason = "no test sends these futures to a thread")]
pub trait Server: Sized {
    /// Starts a server with the table `notes`, to which the functions write.
    async fn launch() -> Self {
        Self::start_for("").await
    }

    /// Starts a server for a place of [`on_each!`](crate::on_each), over TLS if that is `tls`.
    async fn start_for(place: &str) -> Self;
    /// Returns the name of its engine, such as `mariadb`, or of a server of `tests/servers`.
    fn name(&self) -> &str;
    /// Returns the URL of the function's user.
    fn url(&self) -> String;
    /// Returns the URL with another port, such as a proxy's.
    fn url_at(&self, port: u16) -> String;
    /// Returns the address of the server.
    fn addr(&self) -> SocketAddr;
    /// Stops the server.
    async fn stop(&self);
    /// Starts a stopped server on its old port.
    async fn start_again(&self);
    /// Stops the server and starts it again.
    async fn restart(&self);
    /// Returns the sessions of the function's user.
    async fn sessions(&self) -> Vec<Session>;
    /// Ends the sessions of the function's user, and returns their number.
    async fn end_sessions(&self) -> usize;
    /// Makes the server read-only for the function's user. Its sessions stay.
    async fn demote(&self);
    /// Changes the password of the function's user.
    async fn change_password(&self, password: &str);
    /// Forbids or allows the function's user to sign in. Its sessions stay.
    async fn lock_user(&self, locked: bool);
    /// Runs a statement as the administrator.
    async fn execute(&self, sql: &str);
    /// Returns the number that a query of the function's user yields.
    async fn number(&self, sql: &str) -> i64;
}

macro_rules! server {
    (
        $server:ty, $connection:ty, demote: [$($demote:literal),+],
        password: $password:literal, lock: $lock:literal, unlock: $unlock:literal
    ) => {
        impl Server for $server {
            async fn start_for(place: &str) -> Self {
                let builder = if place == "tls" {
                    Self::builder().tls()
                } else {
                    Self::builder()
                };
                let server = builder.start().await;
                let mut app = <$connection>::connect(&server.url())
                    .await
                    .expect("a connection");
                sqlx::raw_sql("create table notes (text varchar(80))")
                    .execute(&mut app)
                    .await
                    .expect("a table");
                app.close().await.expect("an end");
                server
            }

            fn name(&self) -> &str {
                self.installation().name()
            }

            fn url(&self) -> String {
                self.url()
            }

            fn url_at(&self, port: u16) -> String {
                self.url_at(port)
            }

            fn addr(&self) -> SocketAddr {
                self.addr()
            }

            async fn stop(&self) {
                self.stop().await;
            }

            async fn start_again(&self) {
                self.start_again().await;
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

            async fn demote(&self) {
                $(self.execute($demote).await;)+
            }

            async fn change_password(&self, password: &str) {
                self.execute(&format!($password, password)).await;
            }

            async fn lock_user(&self, locked: bool) {
                self.execute(if locked { $lock } else { $unlock }).await;
            }

            async fn execute(&self, sql: &str) {
                self.execute(sql).await;
            }

            async fn number(&self, sql: &str) -> i64 {
                let mut app = <$connection>::connect(&self.url())
                    .await
                    .expect("a connection");
                let number = sqlx::query_scalar(AssertSqlSafe(sql))
                    .fetch_one(&mut app)
                    .await
                    .expect("a number");
                app.close().await.expect("an end");
                number
            }
        }
    };
}

server!(Postgres, PgConnection, demote: [
    "alter system set default_transaction_read_only = on",
    "select pg_reload_conf()"
], password: "alter role app password '{}'",
    lock: "alter role app nologin", unlock: "alter role app login");
server!(Mysql, MySqlConnection, demote: ["set global read_only = 1"],
    password: "alter user app@'%' identified by '{}'",
    lock: "alter user app@'%' account lock", unlock: "alter user app@'%' account unlock");

/// Defines a test for each server.
#[macro_export]
macro_rules! on_each_server {
    ($($tests:tt)*) => {
        $crate::on_each! { { on_postgres Postgres "", on_mysql Mysql "" } $($tests)* }
    };
}

/// Defines a test for each server, and a third for a function that composes its runtime of the
/// public parts of reuse-db.
#[macro_export]
macro_rules! on_each_server_and_runtime {
    ($($tests:tt)*) => {
        $crate::on_each! {
            { on_postgres Postgres "", on_mysql Mysql "", composed Postgres "composed" }
            $($tests)*
        }
    };
}

/// Defines a module for each test, and in the module the test for each place. A place is a name, a
/// server, and the variable `RUN` of the function, or `tls` for a server over TLS.
#[macro_export]
macro_rules! on_each {
    (
        $places:tt
        $(
            $(#[$attribute:meta])*
            async fn $test:ident($server:ident: &impl Server) $body:block
        )*
    ) => {
        $(
            $(#[$attribute])*
            mod $test {
                use super::*;

                async fn test($server: &impl Server) $body

                $crate::on!($places);
            }
        )*
    };
}

/// Defines the function `test` as a test for each place.
#[macro_export]
macro_rules! on {
    ({ $($name:ident $server:ident $run:literal),* }) => {
        $(
            #[tokio::test]
            async fn $name() {
                $crate::function::RUN.set($run);
                use lambda_bench::servers;
                test(&<servers::$server as Server>::start_for($run).await).await;
            }
        )*
    };
}
