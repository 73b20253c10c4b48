//! The clients of PostgreSQL beside those of sqlx keep the guarantees.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, with a message"
)]

mod copies;
mod diesel;
mod poolers;
mod reports;
mod tls;
mod transactions;

use std::time::Duration;

use lambda_bench::lambda::{Answer, Builder, Event, Sandbox};
use lambda_bench::proxy::Proxy;
use lambda_bench::servers::Postgres;
use reuse_db_tests::function::program;
use sqlx::{Connection as _, PgConnection};

/// A freeze that is shorter than `verify_after`.
const SHORT: Duration = Duration::from_millis(50);

/// The paths of the handlers that take a client.
const CLIENTS: [&str; 2] = ["/client", "/diesel"];

/// A function in a sandbox, behind a proxy to its server.
struct Function {
    postgres: Postgres,
    proxy: Proxy,
    sandbox: Sandbox,
    path: &'static str,
}

impl Function {
    async fn start(path: &'static str) -> Self {
        let postgres = Postgres::start().await;
        let tables = "create table items (id int, name text); \
            create type mood as enum ('good', 'bad')";
        sqlx::raw_sql(tables)
            .execute(&mut of_user(&postgres).await)
            .await
            .expect("tables");
        let proxy = Proxy::start(postgres.addr()).await;
        let sandbox = sandbox(&postgres.url_at(proxy.port())).await;
        Self {
            postgres,
            proxy,
            sandbox,
            path,
        }
    }

    async fn run_at(&self, path: &str, steps: &str) -> Answer {
        let answer = self.sandbox.invoke(Event::post(path, steps)).await;
        self.sandbox.frozen().await;
        answer
    }

    /// Runs steps that succeed, and returns their answers.
    async fn ok(&self, steps: &str) -> String {
        let answer = self.run_at(self.path, steps).await;
        answer.ok().text().to_owned()
    }

    /// Runs steps, of which one fails.
    async fn fails(&self, steps: &str) {
        self.run_at(self.path, steps).await.error();
    }

    /// Expects that the next invocation gets its own answers.
    async fn expect_own_answers(&self) {
        for _ in 0..2 {
            let own =
                "query select 'first'\nquery select 'second'\nquery select count(*) from items";
            assert_eq!(self.ok(own).await, "first,second,0");
        }
    }

    /// Returns the round trips of steps that succeed, those after the response included.
    async fn round_trips(&self, steps: &str) -> u64 {
        let before = self.proxy.round_trips();
        self.ok(steps).await;
        self.proxy.round_trips() - before
    }

    /// Returns the number of the session.
    async fn session(&self) -> String {
        self.ok("query select pg_backend_pid()").await
    }
}

async fn of_user(postgres: &Postgres) -> PgConnection {
    PgConnection::connect(&postgres.url())
        .await
        .expect("a session")
}

async fn sandbox(url: &str) -> Sandbox {
    sandbox_of(url).start().await
}

fn sandbox_of(url: &str) -> Builder {
    Sandbox::builder(program("clients_function"))
        .env("DATABASE_URL", url)
        .env("RUST_LOG", "reuse_db=debug")
        .timeout(Duration::from_secs(10))
}
