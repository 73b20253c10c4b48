//! A sandbox keeps a connection only while its server has room: one module for each part of that
//! promise.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, with a message"
)]

mod forms;
mod idle_limit;
mod limits;
mod poolers;
mod unanswered;

use lambda_bench::servers::{Mysql, Postgres};
use lambda_bench::wait::until;
use reuse_db_tests::function::Function;
use reuse_db_tests::function::server::Server;
use serde_json::Value;
use sqlx::{Connection, MySqlConnection, PgConnection, Row as _};

/// The connections that the clients of a small server may open.
const LIMIT: usize = 20;

/// The number of connections from which on new ones are not kept, by default.
const SHARE: usize = 16;

/// Above the share. Connections that are ending and an administrator's still find slots.
const ABOVE: usize = LIMIT - 3;

const FORMS: [&str; 6] = ["/conn", "/tx", "/pool", "/any", "/lease", "/lease-tx"];

/// A statement that each form and each server accepts.
const NOTHING: &str = "raw select 1";

/// A server with [`LIMIT`] connections, and its other clients.
trait Small: Server {
    /// A connection of another client.
    type Client: Connection;

    /// A statement of a script that returns the idle limit of its session, in units.
    const IDLE_LIMIT: &str;
    /// The units of an idle limit in a second.
    const UNITS: u64;
    /// Makes 1,234 seconds the idle limit of new sessions of the function's user.
    const SET_IDLE_DEFAULT: &str;

    async fn small() -> Self;

    /// Returns the number of connections of the server, as a client sees it.
    async fn count(client: &mut Self::Client) -> usize;

    /// Opens connections of other clients of the function's user.
    async fn fill(&self, connections: usize) -> Vec<Self::Client> {
        fill::<Self::Client>(&self.url(), connections).await
    }

    /// Waits until the function's user has this number of sessions.
    async fn until_sessions(&self, sessions: usize) {
        until(format_args!("{sessions} sessions"), async || {
            self.sessions().await.len() == sessions
        })
        .await;
    }
}

/// Opens connections of other clients. Sessions that are ending may hold their slots for a moment.
async fn fill<C: Connection>(url: &str, connections: usize) -> Vec<C> {
    let mut others = Vec::new();
    until("connections of others", async || {
        others.extend(C::connect(url).await);
        others.len() == connections
    })
    .await;
    others
}

impl Small for Postgres {
    type Client = PgConnection;

    const IDLE_LIMIT: &str = "raw select setting from pg_catalog.pg_settings \
        where name = 'idle_session_timeout'";
    const UNITS: u64 = 1_000;
    const SET_IDLE_DEFAULT: &str = "alter role app set idle_session_timeout = '1234s'";

    async fn small() -> Self {
        // Three connections are reserved for administrators.
        let builder = Self::builder().setting("max_connections", "23");
        builder.start().await
    }

    async fn count(client: &mut PgConnection) -> usize {
        let sql = "select count(*) from pg_stat_activity \
            where usesysid is not null and datid is not null";
        let count: i64 = sqlx::query_scalar(sql)
            .fetch_one(client)
            .await
            .expect("a count");
        usize::try_from(count).expect("a count")
    }
}

impl Small for Mysql {
    type Client = MySqlConnection;

    /// On MySQL, a transaction shortens the limit until its end.
    const IDLE_LIMIT: &str = "raw select cast(coalesce(@reuse_db_idle, @@wait_timeout) as char)";
    const UNITS: u64 = 1;
    const SET_IDLE_DEFAULT: &str = "set global wait_timeout = 1234";

    async fn small() -> Self {
        let builder = Self::builder().setting("max-connections", "20");
        builder.start().await
    }

    async fn count(client: &mut MySqlConnection) -> usize {
        let sql = "show global status like 'Threads_connected'";
        let row = sqlx::raw_sql(sql).fetch_one(client).await.expect("a row");
        row.get::<String, _>(1).parse().expect("a count")
    }
}

/// Defines a test on each small server.
macro_rules! on_each_small_server {
    ($(
        $(#[$attribute:meta])*
        async fn $test:ident($server:ident: &impl Small) $body:block
    )*) => {
        $(
            $(#[$attribute])*
            mod $test {
                use super::*;

                async fn test($server: &impl Small) $body

                #[tokio::test]
                async fn on_postgres() {
                    test(&<lambda_bench::servers::Postgres as Small>::small().await).await;
                }

                #[tokio::test]
                async fn on_mysql() {
                    test(&<lambda_bench::servers::Mysql as Small>::small().await).await;
                }
            }
        )*
    };
}
use on_each_small_server;

/// The counters of a function at the end of an invocation, before the work after its response.
#[derive(Debug)]
struct Stats(Value);

impl Stats {
    fn get(&self, name: &str) -> u64 {
        self.0[name].as_u64().expect("a counter")
    }
}

/// Runs a script that succeeds, and returns the counters.
async fn run(function: &Function, path: &str, script: &str) -> Stats {
    let answer = function.script(path, script).await;
    Stats(answer.ok().json()["stats"].clone())
}

/// Returns the idle limit of the session, in seconds.
async fn idle_limit<S: Small>(_: &S, function: &Function, path: &str) -> f64 {
    let rows = function.rows(path, S::IDLE_LIMIT).await;
    let text = rows[0].as_str().expect("a limit");
    let units: u64 = text.parse().expect("a number");
    units as f64 / S::UNITS as f64
}
