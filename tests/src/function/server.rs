//! Both servers, for tests that hold on each.

use std::net::SocketAddr;

use lambda_bench::servers::{Mariadb, Postgres, Session};
use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, PgConnection};

pub(crate) trait Server: Sized {
    /// A server of the test's own, with the table that the function writes to.
    async fn launch() -> Self {
        Self::start_for("").await
    }

    /// The same for a place of [`on_each!`](crate::on_each): `tls` has it speak that.
    async fn start_for(place: &str) -> Self;
    fn url(&self) -> String;
    fn url_at(&self, port: u16) -> String;
    fn addr(&self) -> SocketAddr;
    async fn stop(&self);
    async fn start_again(&self);
    async fn restart(&self);
    /// Those of the function.
    async fn sessions(&self) -> Vec<Session>;
    async fn end_sessions(&self) -> usize;
    /// From now on it takes no writes of the function's, whose sessions go on.
    async fn demote(&self);
    /// Runs a statement as the administrator.
    async fn execute(&self, sql: &str);
    /// A number, asked for by the user of the function.
    async fn number(&self, sql: &str) -> i64;
}

macro_rules! server {
    ($server:ty, $connection:ty, demote: [$($demote:literal),+]) => {
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
]);
server!(Mariadb, MySqlConnection, demote: ["set global read_only = 1"]);

/// A test for each server.
#[macro_export]
macro_rules! on_each_server {
    ($($tests:tt)*) => {
        $crate::on_each! { { on_postgres Postgres "", on_mariadb Mariadb "" } $($tests)* }
    };
}

/// A test for each server, and one for a function whose runtime is composed of our public parts.
#[macro_export]
macro_rules! on_each_server_and_runtime {
    ($($tests:tt)*) => {
        $crate::on_each! {
            { on_postgres Postgres "", on_mariadb Mariadb "", composed Postgres "composed" }
            $($tests)*
        }
    };
}

/// A module for each test, with the test on each of the places: a name, a server, and a way to run
/// the function, or to reach the server (`tls`).
#[macro_export]
macro_rules! on_each {
    ($places:tt $($(#[$attribute:meta])* async fn $test:ident($server:ident: &impl Server) $body:block)*) => {
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

/// The function `test` as a test on each of the places.
#[macro_export]
macro_rules! on {
    ({ $($name:ident $server:ident $run:literal),* }) => {
        $(
            #[tokio::test]
            async fn $name() {
                $crate::function::RUN.set($run);
                test(&<lambda_bench::servers::$server as Server>::start_for($run).await).await;
            }
        )*
    };
}
