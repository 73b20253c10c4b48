//! The events of connections: each has its documented fields, and none contains a secret.
//!
//! The tests need a process of their own. An event that is reached while the subscriber is being
//! set can stay disabled.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use reuse_db::{Connect, Error, Exclusive, Lease, Outcome, Shared, SharedLease, Source};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

thread_local! {
    static EVENTS: RefCell<Vec<Fields>> = const { RefCell::new(Vec::new()) };
    /// The number of attempts to connect that fail from now on.
    static DOWN: Cell<u32> = const { Cell::new(0) };
    /// Makes health checks fail.
    static DEAD: Cell<bool> = const { Cell::new(false) };
}

type Fields = BTreeMap<&'static str, String>;

struct Log;

struct Record(Fields);

impl Visit for Record {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "reuse_db" {
            let mut record = Record(Fields::new());
            event.record(&mut record);
            EVENTS.with_borrow_mut(|events| events.push(record.0));
        }
    }
}

/// Returns the messages since the last call. Asserts that each event has its documented fields, and
/// none a secret.
fn messages() -> Vec<String> {
    let events = EVENTS.take();
    for event in &events {
        let fields: &[&str] = match event["message"].as_str() {
            "opened" => &["took", "attempts"],
            "reused" if event.contains_key("idle") => &["idle"],
            "reused" | "checked" => &["took"],
            "closed" => &["took", "in_time"],
            "stale" | "unavailable" => &["error", "took"],
            "retried" => &["error", "pause", "took", "attempts"],
            "discarded" => &["reason"],
            _ => &[],
        };
        for field in fields {
            assert!(event.contains_key(field), "no `{field}`: {event:?}");
        }
        let text = format!("{event:?}");
        assert!(!text.contains("s3cret"), "{text}");
    }
    let message = |event: Fields| event.get("message").cloned();
    events.into_iter().filter_map(message).collect()
}

#[derive(Clone)]
struct Client;

impl Connect for Client {
    async fn connect(_: &Source) -> Result<Self, Error> {
        match DOWN.get() {
            0 => Ok(Self),
            n => {
                DOWN.set(n - 1);
                Err(Error::unavailable("down"))
            }
        }
    }

    async fn check(&mut self, _: &Source) -> Result<(), Error> {
        if DEAD.get() {
            return Err(Error::broken("dead"));
        }
        Ok(())
    }
}

const SOURCE: Source = Source::env("REUSE_DB_NO_SUCH_VARIABLE").or("client://app:s3cret@host/app");

/// Runs an invocation with that outcome. Without an outcome, its lease is dropped.
async fn invocation(db: &'static Exclusive<Client>, outcome: Option<Outcome>) {
    let mut lease = db.lease().await.expect("a lease");
    Lease::open(&mut lease).await.expect("a client");
    if let Some(outcome) = outcome {
        Lease::settle(lease, outcome);
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
}

#[tokio::test(start_paused = true)]
async fn each_step_is_logged_with_its_fields() {
    static TRUSTED: Exclusive<Client> = Exclusive::new(SOURCE.verify_after(Duration::MAX));
    static CHECKED: Exclusive<Client> = Exclusive::new(SOURCE.verify_after(Duration::ZERO));
    static CLOSED: Exclusive<Client> = Exclusive::new(SOURCE.keep(0));
    static SHARED: Shared<Client> = Shared::new(SOURCE.verify_after(Duration::ZERO));
    let subscriber = tracing_subscriber::registry().with(Log);
    tracing::subscriber::set_global_default(subscriber).expect("the first");

    invocation(&TRUSTED, Some(Outcome::Success)).await;
    assert_eq!(messages(), ["opened"]);
    invocation(&TRUSTED, Some(Outcome::Success)).await;
    assert_eq!(messages(), ["reused"]);
    invocation(&TRUSTED, Some(Outcome::Failure)).await;
    assert_eq!(
        messages(),
        ["reused", "checked"],
        "a check after the failure"
    );
    invocation(&TRUSTED, None).await;
    assert_eq!(messages(), ["reused", "discarded"]);

    DOWN.set(2);
    invocation(&TRUSTED, Some(Outcome::Success)).await;
    assert_eq!(messages(), ["retried", "retried", "opened"]);

    invocation(&CHECKED, Some(Outcome::Success)).await;
    invocation(&CHECKED, Some(Outcome::Success)).await;
    assert_eq!(messages(), ["opened", "checked", "reused"]);
    DEAD.set(true);
    invocation(&CHECKED, Some(Outcome::Success)).await;
    assert_eq!(messages(), ["stale", "opened"]);

    invocation(&CLOSED, Some(Outcome::Success)).await;
    assert_eq!(messages(), ["opened", "closed"]);

    DEAD.set(false);
    for _ in 0..2 {
        let lease = SHARED.lease().await.expect("a lease");
        SharedLease::settle(lease, Outcome::Success);
    }
    assert_eq!(messages(), ["opened", "checked", "reused"]);
    DEAD.set(true);
    let lease = SHARED.lease().await.expect("a lease");
    SharedLease::settle(lease, Outcome::Success);
    assert_eq!(messages(), ["stale", "opened"]);

    reuse_db::shutdown().await;
    assert_eq!(messages(), ["closed"; 3], "three statics keep a connection");

    DOWN.set(u32::MAX);
    TRUSTED.lease().await.expect_err("it is down");
    let mut logged = messages();
    assert_eq!(logged.pop().as_deref(), Some("unavailable"));
    assert!(
        logged.iter().all(|message| message == "retried"),
        "{logged:?}"
    );

    TRUSTED.warm().await;
    assert_eq!(messages().pop().as_deref(), Some("unavailable"));
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn no_password_of_a_real_database_is_logged() {
    use sqlx::PgConnection;

    const NOBODY: &str = "postgres://app:s3cret@127.0.0.1:1/app";
    static DB: Exclusive<PgConnection> = Exclusive::new(
        Source::env("REUSE_DB_NO_SUCH_VARIABLE")
            .or(NOBODY)
            .connect_timeout(Duration::from_millis(200)),
    );
    let subscriber = tracing_subscriber::registry().with(Log);
    let _guard = tracing::subscriber::set_default(subscriber);
    let error = DB.lease().await.expect_err("nobody listens there");
    assert!(
        !format!("{error:?} {error}").contains("s3cret"),
        "{error:?}"
    );
    assert_eq!(messages().pop().as_deref(), Some("unavailable"));
}
