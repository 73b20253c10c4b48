//! What is logged of a server that refuses what it is asked for, and of credentials that cannot be had.
//! What the guard logs is in `guard`, and all else in the tests of the runtime.
//!
//! In a process of its own: whoever comes by an event while the subscriber is being set may turn the
//! event off for good.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod function;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use function::a_long_freeze;
use lambda_bench::servers::{PgBouncer, Postgres};
use lambda_http::tracing::subscriber::layer::{Context, Layer, SubscriberExt as _};
use lambda_http::tracing::subscriber::registry;
use reuse_db::{BoxError, Credentials, Exclusive, Lease, Outcome, Shared, SharedLease, Source};
use sqlx::{PgConnection, PgPool};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};

thread_local! {
    /// Of this test, which has a thread.
    static WARNINGS: RefCell<Vec<Fields>> = const { RefCell::new(Vec::new()) };
}

type Fields = BTreeMap<&'static str, String>;

struct Log;

struct Record(Fields);

impl Visit for Record {
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

/// To be called before anything is logged.
fn listen() {
    static SET: Once = Once::new();
    SET.call_once(|| {
        tracing::subscriber::set_global_default(registry().with(Log)).expect("the first");
    });
}

/// The warnings since the last call; none holds a password.
fn warnings() -> Vec<Fields> {
    let warnings = WARNINGS.take();
    let text = format!("{warnings:?}");
    assert!(!text.contains("s3cret"), "{text}");
    warnings
}

#[tokio::test]
async fn a_refused_idle_limit_is_said_once() {
    listen();
    let postgres = Postgres::start().await;
    let bouncer = PgBouncer::builder()
        .setting("pool_mode", "session")
        .start(&postgres)
        .await;
    let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE").or(bouncer.url().leak());
    let db: &Exclusive<PgConnection> = Box::leak(Box::new(Exclusive::new(source.keep(0))));
    // Each of the first two meets it, and the third knows.
    let (one, two) = tokio::join!(db.lease(), db.lease());
    for lease in [one, two, db.lease().await] {
        Lease::settle(lease.expect("a connection"), Outcome::Success);
    }
    assert_eq!(db.stats().opened, 3);
    let said = warnings();
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(
        said[0]["message"],
        "refused: connecting without `idle_session_timeout`"
    );
    let target = format!("{}/app", bouncer.addr());
    assert!(
        said[0]["target"] == target && said[0]["error"].contains("startup parameter"),
        "{said:?}"
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

/// The pool goes on with the connection that it has.
#[tokio::test]
async fn credentials_that_cannot_be_had_are_told_of() {
    listen();
    let postgres = Postgres::start().await;
    let source = Source::env("REUSE_DB_NO_SUCH_VARIABLE")
        .or(postgres.url().leak())
        .credentials(&secret);
    let db: &Shared<PgPool> = Box::leak(Box::new(Shared::new(source)));
    let ask = async |outcome| {
        let lease = db.lease().await.expect("a pool");
        sqlx::raw_sql("select 1")
            .execute(SharedLease::get(&lease))
            .await
            .expect("an answer");
        SharedLease::settle(lease, outcome);
    };
    ask(Outcome::Failure).await;
    HAS_SECRETS.store(false, Ordering::Relaxed);
    a_long_freeze().await;
    assert_eq!(warnings(), []);
    for _ in 0..2 {
        ask(Outcome::Success).await;
    }
    let said = warnings();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0]["message"] == "not renewed" && said[0]["error"].contains("the vault is closed"),
        "{said:?}"
    );
}
