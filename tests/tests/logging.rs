//! Log lines and metrics that need a real server. The tests of the runtime have the other events.
//!
//! These tests have a process of their own: an event that is logged while another test sets the
//! subscriber may stay off.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, with a message"
)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use lambda_bench::lambda::Event as Request;
use lambda_bench::servers::{PgBouncer, Postgres};
use lambda_http::tracing::subscriber::layer::{Context, Layer, SubscriberExt as _};
use lambda_http::tracing::subscriber::registry;
use reuse_db::{BoxError, Credentials, Lease, Outcome, SharedLease};
use reuse_db_tests::function::server::Server;
use reuse_db_tests::function::{Function, a_long_freeze};
use reuse_db_tests::on_each_server;
use reuse_db_tests::statics::{exclusive, shared, source};
use sqlx::{PgPool, Transaction};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};

thread_local! {
    /// The warnings of this test. Each test has a thread of its own.
    static WARNINGS: RefCell<Vec<Fields>> = const { RefCell::new(Vec::new()) };
}

type Fields = BTreeMap<&'static str, String>;

struct Log;

struct Record(Fields);

impl Visit for Record {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if metadata.target() == "reuse_db" && *metadata.level() == Level::WARN {
            let mut record = Record(Fields::new());
            event.record(&mut record);
            WARNINGS.with_borrow_mut(|warnings| warnings.push(record.0));
        }
    }
}

/// Sets the subscriber. A test calls this first.
fn listen() {
    static SET: Once = Once::new();
    SET.call_once(|| {
        tracing::subscriber::set_global_default(registry().with(Log)).expect("no other subscriber");
    });
}

/// Returns the warnings since the last call. None contains a password.
fn warnings() -> Vec<Fields> {
    let warnings = WARNINGS.take();
    let text = format!("{warnings:?}");
    assert!(!text.contains("s3cret"), "{text}");
    warnings
}

#[tokio::test]
async fn a_rejected_idle_limit_is_logged_once() {
    listen();
    let postgres = Postgres::start().await;
    let bouncer = PgBouncer::builder()
        .setting("pool_mode", "session")
        .start(&postgres)
        .await;
    let db = exclusive::<Transaction<'_, sqlx::Postgres>>(source(bouncer.url()).keep(0));
    // Two connections are rejected at once, and the third connects without the limit.
    let (one, two) = tokio::join!(db.lease(), db.lease());
    for lease in [one, two, db.lease().await] {
        Lease::settle(lease.expect("a connection"), Outcome::Success);
    }
    assert_eq!(db.stats().opened, 3);
    let logged = warnings();
    assert_eq!(logged.len(), 1, "{logged:?}");
    let message = "unsupported: connecting without the limit that the error names";
    assert_eq!(logged[0]["message"], message);
    assert_eq!(logged[0]["target"], format!("{}/app", bouncer.addr()));
    assert!(
        logged[0]["error"].contains("startup parameter"),
        "{logged:?}"
    );
}

static HAS_SECRETS: AtomicBool = AtomicBool::new(true);

async fn secret() -> Result<Credentials, BoxError> {
    if HAS_SECRETS.load(Ordering::Relaxed) {
        Ok(Credentials::new("app", "s3cret"))
    } else {
        Err("the vault is closed".into())
    }
}

/// The pool keeps its connection.
#[tokio::test]
async fn an_error_of_the_credentials_function_is_logged() {
    listen();
    let postgres = Postgres::start().await;
    let db = shared::<PgPool>(source(postgres.url()).credentials(&secret));
    let invoke = async |outcome| {
        let lease = db.lease().await.expect("a pool");
        sqlx::raw_sql("select 1")
            .execute(SharedLease::get(&lease))
            .await
            .expect("an answer");
        SharedLease::settle(lease, outcome);
    };
    invoke(Outcome::Failure).await;
    HAS_SECRETS.store(false, Ordering::Relaxed);
    a_long_freeze().await;
    assert_eq!(warnings(), []);
    for _ in 0..2 {
        invoke(Outcome::Success).await;
    }
    let logged = warnings();
    assert_eq!(logged.len(), 1, "{logged:?}");
    assert_eq!(logged[0]["message"], "not renewed");
    assert!(
        logged[0]["error"].contains("the vault is closed"),
        "{logged:?}"
    );
}

on_each_server! {
    /// The line follows the response, and counts each event of the invocation once.
    async fn each_invocation_prints_one_line_of_metrics_on_request(server: &impl Server) {
        let function = Function::start_with(server, &[("RUN", "metrics")]).await;
        for n in 0..3 {
            function.add(n).await;
        }
        function.sandbox.invoke(Request::get("/end?how=panic")).await;
        function.sandbox.frozen().await;
        let output = function.sandbox.output();
        let json = |line: &str| serde_json::from_str(&line[line.find("{\"")?..]).ok();
        let lines: Vec<serde_json::Value> = output.lines().filter_map(json).collect();
        let metric = |name: &str| {
            let values = lines.iter().filter_map(|line| line[name].as_u64());
            values.collect::<Vec<_>>()
        };
        assert_eq!(metric("Opened"), [1, 0, 0, 0], "{output}");
        assert_eq!(metric("Reused"), [0, 1, 1, 1], "{output}");
        assert_eq!(metric("Discarded"), [0, 0, 0, 1], "{output}");
        for line in &lines {
            assert_eq!(line["FunctionName"], "bench");
            assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Namespace"], "bench");
        }
    }
}
