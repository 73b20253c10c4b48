//! The methods that PostgreSQL and MySQL servers have in common.

/// Implements the common methods of `$server`.
///
/// The type provides `admin`, which connects as the administrator, and `url_of`. `$ids` selects
/// the ids of the sessions of the user `app`, and `$end` ends one of them.
macro_rules! database_server {
    (
        $server:ident, $builder:ident, $connection:ident,
        session_ids: $ids:literal, end_session: $end:literal
    ) => {
        impl $server {
            /// Starts a server with the default settings.
            pub async fn start() -> Self {
                Self::builder().start().await
            }

            /// Returns a builder for a server with other settings.
            pub fn builder() -> $builder {
                $builder::default()
            }

            /// Returns the server that the tests of this process share.
            ///
            /// It is for tests that do not stop it and that count only their own sessions.
            pub async fn shared() -> &'static Self {
                static SHARED: tokio::sync::OnceCell<$server> = tokio::sync::OnceCell::const_new();
                SHARED.get_or_init(Self::start).await
            }

            /// Returns the server's name, version and programs.
            pub fn installation(&self) -> &super::Installation {
                &self.installation
            }

            /// Returns the URL of the database `app` for the user `app`.
            pub fn url(&self) -> String {
                self.url_at(self.port)
            }

            /// Returns the URL of the database `app` at another port, such as a proxy's.
            pub fn url_at(&self, port: u16) -> String {
                Self::url_of("app", port, "app")
            }

            /// Returns the address on which the server listens.
            pub fn addr(&self) -> std::net::SocketAddr {
                (std::net::Ipv4Addr::LOCALHOST, self.port).into()
            }

            /// Returns the id of the server's main process, or `None` while the server is stopped.
            pub fn pid(&self) -> Option<i32> {
                self.server.pid()
            }

            /// Returns the folder that contains the server's data and log.
            pub fn folder(&self) -> &std::path::Path {
                self.server.folder()
            }

            /// Returns the file with the authority's certificate, for `sslrootcert` or `ssl-ca`.
            pub fn authority(&self) -> std::path::PathBuf {
                super::certificate::authority(self.folder())
            }

            /// Stops the server. Its sessions end, and new connections are refused.
            pub async fn stop(&self) {
                self.server.stop().await;
            }

            /// Starts a stopped server on the same port and with the same data.
            pub async fn start_again(&self) {
                self.server
                    .start(async || self.admin().await?.close().await)
                    .await;
            }

            /// Stops the server and starts it again.
            pub async fn restart(&self) {
                self.stop().await;
                self.start_again().await;
            }

            /// Runs a statement as the administrator.
            ///
            /// # Panics
            ///
            /// If the statement fails.
            pub async fn execute(&self, sql: &str) {
                let result = sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
                    .execute(&mut self.ready_admin().await)
                    .await;
                result.unwrap_or_else(|error| panic!("{sql}: {error}"));
            }

            /// Ends the sessions of the user `app` as an administrator does, and returns their
            /// number.
            ///
            /// Waits until the server no longer lists them.
            pub async fn end_sessions(&self) -> usize {
                let mut admin = self.ready_admin().await;
                let ended = Self::session_ids(&mut admin).await;
                for id in &ended {
                    // A session that ended by itself in the meantime is an error in MariaDB.
                    let sql = sqlx::AssertSqlSafe(format!($end, id));
                    let _ = sqlx::raw_sql(sql).execute(&mut admin).await;
                }
                $crate::wait::until("the end of the sessions", async || {
                    let left = Self::session_ids(&mut admin).await;
                    !left.iter().any(|id| ended.contains(id))
                })
                .await;
                ended.len()
            }

            async fn session_ids(admin: &mut $connection) -> Vec<i64> {
                let ids = sqlx::query_scalar($ids).fetch_all(admin).await;
                ids.expect("the administrator can list the sessions")
            }

            async fn ready_admin(&self) -> $connection {
                self.admin().await.expect("the administrator can connect")
            }
        }
    };
}

pub(super) use database_server;
