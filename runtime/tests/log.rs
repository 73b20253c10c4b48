//! What is logged of connections, with the time that each step took, and never a secret.
//!
//! In a process of its own: whoever comes by an event while the subscriber is being set may turn the
//! event off for good.
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
    /// How many tries to connect fail from now on.
    static DOWN: Cell<u32> = const { Cell::new(0) };
    /// Whether checks fail.
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

/// The messages since the last call. Each event has the fields that are documented for it, and none
/// a secret.
fn messages() -> Vec<String> {
    let events = EVENTS.take();
    for event in &events {
        let fields: &[&str] = match event["message"].as_str() {
            "opened" => &["took", "tries"],
            "reused" if event.contains_key("idle") => &["idle"],
            "reused" | "checked" | "closed" => &["took"],
            "stale" | "refused" => &["error", "took"],
            "retried" => &["error", "pause", "took", "tries"],
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

/// One invocation, that ends as `outcome` says, or is dropped.
async fn invocation(db: &'static Exclusive<Client>, outcome: Option<Outcome>) {
    let mut lease = db.lease().await.expect("a lease");
    Lease::open(&mut lease).await.expect("a client");
    if let Some(outcome) = outcome {
        Lease::settle(lease, outcome);
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
}

#[tokio::test(start_paused = true)]
async fn each_step_is_logged() {
    static TRUSTED: Exclusive<Client> = Exclusive::new(SOURCE.verify_after(Duration::MAX));
    static DOUBTED: Exclusive<Client> = Exclusive::new(SOURCE.verify_after(Duration::ZERO));
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

    invocation(&DOUBTED, Some(Outcome::Success)).await;
    invocation(&DOUBTED, Some(Outcome::Success)).await;
    assert_eq!(messages(), ["opened", "checked", "reused"]);
    DEAD.set(true);
    invocation(&DOUBTED, Some(Outcome::Success)).await;
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
    assert_eq!(messages(), ["closed"; 3], "of three statics that keep one");

    DOWN.set(u32::MAX);
    TRUSTED.lease().await.expect_err("it is down");
    let mut messages = messages();
    assert_eq!(messages.pop().as_deref(), Some("refused"));
    assert!(
        messages.iter().all(|message| message == "retried"),
        "{messages:?}"
    );

    TRUSTED.warm().await;
    assert_eq!(
        EVENTS.take().pop().expect("an event")["message"],
        "not warmed"
    );
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
    assert_eq!(messages().pop().as_deref(), Some("refused"));
}
