//! A server, plain or over TLS, and the sandboxes whose ways to it are compared.

use std::path::PathBuf;
use std::time::Duration;

use lambda_bench::lambda::{Answer, Event, Sandbox};
use lambda_bench::proxy::Proxy;
use lambda_bench::servers::{Mysql, Postgres};
use reuse_db_tests::function::server::Server;
use sqlx::{Connection as _, MySqlConnection, PgConnection};

/// The time-out of the functions.
pub(crate) const TIME_OUT: Duration = Duration::from_secs(3);

/// A server that has been started for the figures.
pub(crate) struct Place {
    pub(crate) database: Database,
    pub(crate) is_over_tls: bool,
    server: AnyServer,
}

/// The kinds of servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    Postgres,
    Mysql,
}

enum AnyServer {
    Postgres(Postgres),
    Mysql(Mysql),
}

impl Place {
    /// Starts a plain server with `slots` connections for ordinary clients.
    pub(crate) async fn start_with_slots(database: Database, slots: usize) -> Self {
        let server = match database {
            Database::Postgres => {
                // Three connections are reserved.
                let most = (slots + 3).to_string();
                let builder = Postgres::builder().setting("max_connections", &most);
                AnyServer::Postgres(builder.start().await)
            }
            Database::Mysql => {
                let most = slots.to_string();
                let builder = Mysql::builder().setting("max-connections", &most);
                AnyServer::Mysql(builder.start().await)
            }
        };
        Self {
            database,
            is_over_tls: false,
            server,
        }
    }

    pub(crate) async fn start(database: Database, is_over_tls: bool) -> Self {
        let wire = if is_over_tls { "tls" } else { "" };
        let server = match database {
            Database::Postgres => AnyServer::Postgres(Postgres::start_for(wire).await),
            Database::Mysql => AnyServer::Mysql(Mysql::start_for(wire).await),
        };
        Self {
            database,
            is_over_tls,
            server,
        }
    }

    /// Returns the server's name and version.
    pub(crate) async fn version(&self) -> String {
        match &self.server {
            AnyServer::Postgres(server) => {
                let mut db = PgConnection::connect(&server.url())
                    .await
                    .expect("a session");
                let version = sqlx::query_scalar::<_, String>("show server_version");
                format!(
                    "PostgreSQL {}",
                    version.fetch_one(&mut db).await.expect("a version")
                )
            }
            AnyServer::Mysql(server) => {
                let mut db = MySqlConnection::connect(&server.url())
                    .await
                    .expect("a session");
                let version = sqlx::query_scalar::<_, String>("select version()");
                let version = version.fetch_one(&mut db).await.expect("a version");
                match version.contains("MariaDB") {
                    true => version,
                    false => format!("MySQL {version}"),
                }
            }
        }
    }

    /// Returns the server's short name, with its wire.
    pub(crate) fn name(&self) -> String {
        let (database, wire) = self.words();
        format!("{database}, {wire}")
    }

    /// Returns the server's short name and its wire.
    pub(crate) fn words(&self) -> (&'static str, &'static str) {
        let database = match self.database {
            Database::Postgres => "PostgreSQL",
            Database::Mysql => "MariaDB",
        };
        (database, if self.is_over_tls { "TLS" } else { "plain" })
    }

    /// Ends all sessions of the functions.
    pub(crate) async fn end_sessions(&self) {
        match &self.server {
            AnyServer::Postgres(server) => server.end_sessions().await,
            AnyServer::Mysql(server) => server.end_sessions().await,
        };
    }

    /// Returns the URL of the server itself.
    pub(crate) fn url(&self) -> String {
        match &self.server {
            AnyServer::Postgres(server) => server.url(),
            AnyServer::Mysql(server) => server.url(),
        }
    }

    fn url_at(&self, port: u16) -> String {
        match &self.server {
            AnyServer::Postgres(server) => server.url_at(port),
            AnyServer::Mysql(server) => server.url_at(port),
        }
    }

    /// Starts a sandbox of a program, behind a proxy of its own.
    pub(crate) async fn start_sandbox(&self, program: &Program) -> Stage {
        let addr = match &self.server {
            AnyServer::Postgres(server) => server.addr(),
            AnyServer::Mysql(server) => server.addr(),
        };
        let proxy = Proxy::start(addr).await;
        let url = self.url_at(proxy.port());
        Stage::start(program, proxy, url).await
    }
}

/// A function's program, and its way to a connection.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    /// The script of an interpreter.
    pub(crate) script: Option<PathBuf>,
    pub(crate) way: &'static str,
}

/// A sandbox behind a proxy.
pub(crate) struct Stage {
    pub(crate) sandbox: Sandbox,
    pub(crate) proxy: Proxy,
}

impl Stage {
    /// Starts a sandbox of a program, behind a proxy.
    pub(crate) async fn start(program: &Program, proxy: Proxy, url: String) -> Self {
        let mut builder = Sandbox::builder(&program.path)
            .env("DATABASE_URL", url)
            .env("WAY", program.way)
            .timeout(TIME_OUT);
        if let Some(script) = &program.script {
            builder = builder.argument(script);
        }
        Self {
            sandbox: builder.start().await,
            proxy,
        }
    }

    /// Invokes the function, and waits until it is frozen. Returns the answer and the number of
    /// round trips, those after the response included.
    pub(crate) async fn invoke(&self, path: &str) -> (Answer, u64) {
        let before = self.proxy.round_trips();
        let answer = self.sandbox.invoke(Event::get(path)).await;
        answer.ok();
        self.sandbox.frozen().await;
        (answer, self.proxy.round_trips() - before)
    }
}
