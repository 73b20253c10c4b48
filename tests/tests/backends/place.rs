//! A server that a backend is tested on.

use std::net::SocketAddr;

use lambda_bench::servers::{Mysql, Postgres, Redis};
use reuse_db_tests::function::server::Server;
use sqlx::any::install_default_drivers;
use sqlx::{AnyConnection, Connection as _};

/// A server of any kind, which a test has started.
pub(crate) trait Place: Sized {
    /// Starts a server with room for `room` sessions of the function's user.
    async fn launch(room: Option<usize>) -> Self;
    fn address(&self) -> SocketAddr;
    /// Returns the URL of the function's user at another port, such as a proxy's.
    fn url_through(&self, port: u16) -> String;
    async fn stopped(&self);
    async fn started_again(&self);
    /// Returns the number of sessions of the function's user.
    async fn open_sessions(&self) -> usize;
    /// Ends the sessions of the function's user, and returns their number.
    async fn end(&self) -> usize;
}

macro_rules! place {
    ($server:ty, $room:ident, $with:literal, $reserved:literal, $launch:expr) => {
        impl Place for $server {
            async fn launch(room: Option<usize>) -> Self {
                let mut builder = Self::builder();
                if let Some($room) = room {
                    builder = builder.setting($with, &($room + $reserved).to_string());
                }
                let server = builder.start().await;
                $launch(&server).await;
                server
            }

            fn address(&self) -> SocketAddr {
                self.addr()
            }

            fn url_through(&self, port: u16) -> String {
                self.url_at(port)
            }

            async fn stopped(&self) {
                self.stop().await;
            }

            async fn started_again(&self) {
                self.restart().await;
            }

            async fn open_sessions(&self) -> usize {
                self.sessions().await.len()
            }

            async fn end(&self) -> usize {
                self.end_sessions().await
            }
        }
    };
}

async fn create_table(server: &impl Server) {
    install_default_drivers();
    let mut app = AnyConnection::connect(&server.url())
        .await
        .expect("a connection");
    let create = sqlx::raw_sql("create table notes (text varchar(80))");
    create.execute(&mut app).await.expect("a table");
    app.close().await.expect("an end");
}

// The reserved ones are the administrator's.
place!(Postgres, room, "max_connections", 3, create_table);
place!(Mysql, room, "max_connections", 0, create_table);
place!(Redis, room, "maxclients", 1, async |_: &Redis| ());
