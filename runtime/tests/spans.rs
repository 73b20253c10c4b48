//! The spans of `#[tracing::instrument]` above and below `#[reuse_db]`.
//!
//! The tests need a process of their own. An event that is reached while the subscriber is being
//! set can stay disabled.
#![cfg(feature = "sqlite")]
#![deny(warnings)]

use std::cell::RefCell;
use std::fmt;
use std::sync::Once;

use reuse_db::{Source, reuse_db};
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber, instrument};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

const MEMORY: Source = Source::env("NO_SUCH_VARIABLE").or("sqlite::memory:");

thread_local! {
    /// The spans and events of this test, each event with its span.
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn add(line: String) {
    LINES.with_borrow_mut(|lines| lines.push(line));
}

/// Returns the lines of a call.
async fn log_of(call: impl Future<Output = bool>) -> Vec<String> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let subscriber = tracing_subscriber::registry().with(Log);
        tracing::subscriber::set_global_default(subscriber).unwrap_or_default();
    });
    LINES.take();
    let is_right = call.await;
    let lines = LINES.take();
    assert!(is_right, "{lines:?}");
    lines
}

struct Log;

/// The names of the fields of a span or an event, and the event's message.
#[derive(Default)]
struct Fields {
    names: Vec<&'static str>,
    message: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => self.names.push(name),
        }
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Log {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        add(format!(
            "{}({})",
            attributes.metadata().name(),
            fields.names.join(", ")
        ));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let target = event.metadata().target();
        if target != "reuse_db" && !target.starts_with(module_path!()) {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let span = context
            .lookup_current()
            .map_or("nothing", |span| span.name());
        let what = if fields.message.is_empty() {
            fields.names.join(", ")
        } else {
            fields.message
        };
        add(format!("{what} in {span}"));
    }
}

#[reuse_db(source = MEMORY)]
#[instrument(skip(db))]
async fn below(n: i64, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    tracing::info!("body");
    sqlx::query_scalar("select ?").bind(n).fetch_one(db).await
}

#[instrument(skip(db))]
#[reuse_db(source = MEMORY)]
async fn above(n: i64, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    tracing::info!("body");
    sqlx::query_scalar("select ?").bind(n).fetch_one(db).await
}

#[instrument(name = "everything")]
async fn around(n: i64) -> Result<i64, sqlx::Error> {
    below(n).await
}

#[reuse_db(source = MEMORY)]
#[instrument(name = "named", skip_all, fields(twice = n * 2), err)]
async fn failing(n: i64, tx: &mut Transaction<'_, Sqlite>) -> Result<(), sqlx::Error> {
    sqlx::query("select ?").bind(n).execute(&mut **tx).await?;
    Err(sqlx::Error::RowNotFound)
}

#[reuse_db(source = MEMORY)]
#[instrument]
async fn recording(pool: &SqlitePool, #[db] db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("select 1").execute(db).await.map(drop)
}

#[tokio::test]
async fn a_span_below_covers_the_body_and_has_the_inner_name() {
    let lines = log_of(async { below(7).await.is_ok_and(|n| n == 7) }).await;
    assert_eq!(
        lines,
        ["opened in nothing", "below_with(n)", "body in below_with"]
    );
}

#[tokio::test]
async fn a_span_above_covers_the_body_and_has_the_functions_name() {
    let lines = log_of(async { above(7).await.is_ok_and(|n| n == 7) }).await;
    assert_eq!(lines, ["opened in nothing", "above(n)", "body in above"]);
}

#[tokio::test]
async fn a_span_around_the_call_covers_the_lease() {
    let lines = log_of(async { around(7).await.is_ok_and(|n| n == 7) }).await;
    assert_eq!(
        lines,
        [
            "everything(n)",
            "opened in everything",
            "below_with(n)",
            "body in below_with"
        ]
    );
}

#[tokio::test]
async fn the_arguments_of_instrument_are_kept() {
    let lines = log_of(async { failing(7).await.is_err() }).await;
    assert_eq!(
        lines,
        ["opened in nothing", "named(twice)", "error in named"]
    );
}

#[tokio::test]
async fn the_database_is_a_field_unless_it_is_skipped() {
    let lines = log_of(async {
        let pool = SqlitePool::connect_lazy("sqlite::memory:");
        let Ok(pool) = pool else { return false };
        recording(&pool).await.is_ok()
    })
    .await;
    assert_eq!(lines, ["opened in nothing", "recording_with(pool, db)"]);
}
