//! The guarantees, by one suite, on each type of parameter.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, with a message"
)]

mod place;
mod pools;
mod table;

use std::time::Duration;

use lambda_bench::lambda::{Answer, Builder, Event, Outcome, Sandbox};
use lambda_bench::proxy::Proxy;
use lambda_bench::wait::until;
use reuse_db_tests::function::{LONG, program};

use self::place::Place;

/// A freeze that is shorter than `verify_after`, and long enough for the end of a connection to
/// arrive.
const SHORT: Duration = Duration::from_millis(50);

/// A function with one backend, behind a proxy to its server.
struct Function<P> {
    server: P,
    proxy: Proxy,
    sandbox: Sandbox,
}

/// An answer to `n`: its session.
type Session = i64;

impl<P: Place> Function<P> {
    async fn start(backend: &str) -> Self {
        let function = Self::start_in(backend, |builder| builder).await;
        function.add(0).await;
        function
    }

    async fn start_in(backend: &str, change: impl FnOnce(Builder) -> Builder) -> Self {
        let server = P::launch(None).await;
        let proxy = Proxy::start(server.address()).await;
        let sandbox = sandbox(&server, proxy.port(), backend);
        Self {
            sandbox: change(sandbox).start().await,
            server,
            proxy,
        }
    }

    async fn invoke(&self, how: &str) -> Answer {
        invoke(&self.sandbox, &format!("/?how={how}")).await
    }

    /// Invokes it with a number, checks the answer, and returns the session.
    async fn add(&self, n: i64) -> Session {
        add(&self.sandbox, n).await
    }

    /// Lets some invocations pass, so that the inspections after the first successes are over.
    async fn warm_up(&self) {
        for n in 0..6 {
            self.add(n).await;
        }
    }
}

fn sandbox(server: &impl Place, port: u16, backend: &str) -> Builder {
    Sandbox::builder(program("backend_function"))
        .env("DATABASE_URL", server.url_through(port))
        .env("BACKEND", backend)
        .env("RUST_LOG", "reuse_db=debug")
        .timeout(Duration::from_secs(10))
}

/// Invokes the function and waits for the freeze that follows.
async fn invoke(sandbox: &Sandbox, path: &str) -> Answer {
    let answer = sandbox.invoke(Event::get(path)).await;
    sandbox.frozen().await;
    answer
}

async fn add(sandbox: &Sandbox, n: i64) -> Session {
    let answer = invoke(sandbox, &format!("/?n={n}")).await;
    let json = answer.ok().json();
    assert_eq!(json["sum"], n + 1, "{answer:?}");
    json["session"].as_i64().expect("a session")
}

/// Defines a module for each guarantee, with a test for each backend, and the lists of both.
macro_rules! guarantees {
    (
        $backends:tt
        $(
            #[doc = $doc:literal]
            async fn $test:ident($backend:ident: &str) $body:block
        )+
    ) => {
        guarantees! { @list $backends }
        pub(crate) const GUARANTEES: &[&str] = &[$($doc),+];

        $(
            #[doc = $doc]
            mod $test {
                use super::*;

                async fn test<P: Place>($backend: &str) $body

                guarantees! { @tests $backends }
            }
        )+
    };
    (@list { $($backend:ident $name:literal $server:ident,)+ }) => {
        pub(crate) const BACKENDS: &[(&str, &str)] = &[$(($name, stringify!($server))),+];
    };
    (@tests { $($backend:ident $name:literal $server:ident,)+ }) => {
        $(
            #[tokio::test]
            async fn $backend() {
                test::<lambda_bench::servers::$server>($name).await;
            }
        )+
    };
}

guarantees! {
    {
        pg_connection "PgConnection" Postgres,
        pg_pool "PgPool" Postgres,
        mysql_connection "MySqlConnection" Mysql,
        mysql_pool "MySqlPool" Mysql,
        sea_orm_on_postgres "DatabaseConnection" Postgres,
        sea_orm_on_mysql "DatabaseConnection" Mysql,
        tokio_postgres "Client" Postgres,
        diesel_on_postgres "AsyncPgConnection" Postgres,
        diesel_on_mysql "AsyncMysqlConnection" Mysql,
        redis "MultiplexedConnection" Redis,
    }

    #[doc = "One session serves all invocations, across freezes."]
    async fn reuse(backend: &str) {
        let function = Function::<P>::start(backend).await;
        let session = function.add(0).await;
        for (n, pause) in [(1, SHORT), (2, LONG), (3, SHORT), (4, LONG)] {
            tokio::time::sleep(pause).await;
            assert_eq!(function.add(n).await, session, "after {pause:?}");
        }
        assert_eq!(function.proxy.connections(), 1);
        assert_eq!(function.server.open_sessions().await, 1);
    }

    #[doc = "A warm invocation adds no round trip before the response."]
    async fn round_trips(backend: &str) {
        let function = Function::<P>::start(backend).await;
        function.warm_up().await;
        let before = function.proxy.round_trips();
        for n in 0..5 {
            function.add(n).await;
        }
        let used = function.proxy.round_trips() - before;
        // sqlx pings a connection that returns to a pool, after the response.
        let is_pool = backend.ends_with("Pool") || backend == "DatabaseConnection";
        let most = if is_pool { 10 } else { 5 };
        // One query for the load, or an inspection, may be due.
        assert!((5..=most + 2).contains(&used), "{used}");
    }

    #[doc = "A session that ended while frozen is replaced before the handler."]
    async fn ended(backend: &str) {
        let function = Function::<P>::start(backend).await;
        for pause in [SHORT, LONG] {
            assert_eq!(function.server.end().await, 1);
            tokio::time::sleep(pause).await;
            function.add(1).await;
        }
        function.server.started_again().await;
        tokio::time::sleep(SHORT).await;
        function.add(2).await;
        assert_eq!(function.sandbox.starts(), 1, "the process lives on");
    }

    #[doc = "A connection that was reset while frozen is replaced before the handler, even within `verify_after`."]
    async fn reset(backend: &str) {
        let function = Function::<P>::start(backend).await;
        for n in 0..3 {
            function.proxy.reset().await;
            tokio::time::sleep(SHORT).await;
            function.add(n).await;
        }
    }

    #[doc = "A silent network costs one health check of 500 ms."]
    async fn black_hole(backend: &str) {
        let function = Function::<P>::start(backend).await;
        function.proxy.black_hole();
        tokio::time::sleep(LONG).await;
        let begun = tokio::time::Instant::now();
        function.add(1).await;
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(2), "{took:?}");
        assert_eq!(function.proxy.connections(), 2);
    }

    #[doc = "A failure, a panic or a cancelled handler leaves nothing to the next invocation."]
    async fn failures(backend: &str) {
        let function = Function::<P>::start(backend).await;
        for how in ["fail", "panic", "cancel", "fail"] {
            let answer = function.invoke(how).await;
            let succeeded = matches!(answer.outcome, Outcome::Http(_));
            assert_eq!(succeeded, how == "cancel", "{how}: {answer:?}");
            assert_eq!(function.invoke("state").await.ok().text(), "clean", "after `{how}`");
        }
        assert_eq!(function.sandbox.starts(), 1, "the process lives on");
    }

    #[doc = "An abandoned statement ends at the server, and gives its answer to nobody."]
    async fn abandoned(backend: &str) {
        let function = Function::<P>::start(backend).await;
        for n in 0..3 {
            function.invoke("abandon").await.ok();
            function.add(n).await;
        }
        until("the end of the abandoned statements", async || {
            function.server.open_sessions().await == 1
        })
        .await;
    }

    #[doc = "A statement that the server rejects costs no connection."]
    async fn rejected(backend: &str) {
        let function = Function::<P>::start(backend).await;
        for n in 0..4 {
            function.invoke("reject").await.error();
            function.add(n).await;
        }
        assert_eq!(function.proxy.connections(), 1);
    }

    #[doc = "A server that is gone is a 503 with `Retry-After`, also inside a transaction."]
    async fn gone(backend: &str) {
        let server = P::launch(None).await;
        let sandbox = sandbox(&server, server.address().port(), backend);
        let sandbox = sandbox.start().await;
        let path = "/?how=transact";
        invoke(&sandbox, path).await.ok();
        server.stopped().await;
        let answer = invoke(&sandbox, path).await;
        let found = (answer.status(), answer.header("retry-after"));
        assert_eq!(found, (503, Some("1")), "{answer:?}");
    }

    #[doc = "A shutdown closes the session."]
    async fn shutdown(backend: &str) {
        let function = Function::<P>::start(backend).await;
        function.sandbox.shutdown().await;
        until("the end of the session", async || {
            function.server.open_sessions().await == 0
        })
        .await;
    }

    #[doc = "A restored snapshot opens its own session."]
    async fn snapshot(backend: &str) {
        let function = Function::<P>::start_in(backend, Builder::snap_start).await;
        function.sandbox.frozen().await;
        assert_eq!(function.server.open_sessions().await, 0);
        let session = function.add(1).await;
        assert_eq!(function.add(2).await, session);
    }

    #[doc = "A fleet larger than its server is served."]
    async fn fleet(backend: &str) {
        const ROOM: usize = 10;
        const SANDBOXES: usize = 13;
        let server = P::launch(Some(ROOM)).await;
        let port = server.address().port();
        let mut sandboxes = Vec::new();
        for _ in 0..SANDBOXES {
            sandboxes.push(sandbox(&server, port, backend).start().await);
        }
        for round in 0..4 {
            for sandbox in &sandboxes {
                add(sandbox, round).await;
            }
        }
        let kept = server.open_sessions().await;
        assert!((1..ROOM).contains(&kept), "{kept} sessions are kept");
    }
}
