use std::net::SocketAddr;

use lambda_bench::servers::{Mysql, Postgres};
use sqlx::{Connection as _, MySqlConnection, PgConnection};

/// A server with the table that the function writes to.
pub(super) trait Server: Sized {
    const NAME: &str;

    async fn launch() -> Self;
    fn addr(&self) -> SocketAddr;
    fn url_at(&self, port: u16) -> String;
    async fn end_sessions(&self);
    async fn restart(&self);
}

macro_rules! server {
    ($server:ident, $connection:ident, $name:literal) => {
        impl Server for $server {
            const NAME: &str = $name;

            async fn launch() -> Self {
                let server = Self::start().await;
                let mut app = $connection::connect(&server.url())
                    .await
                    .expect("a connection");
                let table = sqlx::raw_sql("create table notes (text varchar(80))");
                table.execute(&mut app).await.expect("a table");
                app.close().await.expect("an orderly end");
                server
            }

            fn addr(&self) -> SocketAddr {
                self.addr()
            }

            fn url_at(&self, port: u16) -> String {
                self.url_at(port)
            }

            async fn end_sessions(&self) {
                self.end_sessions().await;
            }

            async fn restart(&self) {
                self.restart().await;
            }
        }
    };
}

server!(Postgres, PgConnection, "PostgreSQL");
server!(Mysql, MySqlConnection, "MariaDB");
