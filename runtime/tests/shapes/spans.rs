//! `#[tracing::instrument]` above and below: what its span is called, what it has, and what is in
//! it.

use std::fmt;
use std::sync::{Arc, Mutex};

use reuse_db::reuse_db;
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber, instrument};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use crate::MEMORY;

/// What happened, each with the span that it was in.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, line: String) {
        if let Ok(mut lines) = self.0.lock() {
            lines.push(line);
        }
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().map(|lines| lines.clone()).unwrap_or_default()
    }
}

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
        self.add(format!(
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
        self.add(format!("{what} in {span}"));
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

/// The lines of one call, in a runtime that has no connection yet.
fn log_of(call: impl Future<Output = bool>) -> Vec<String> {
    let log = Log::default();
    let subscriber = tracing_subscriber::registry().with(log.clone());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let is_right = tracing::subscriber::with_default(subscriber, || {
        runtime.is_ok_and(|runtime| runtime.block_on(call))
    });
    assert!(is_right, "{:?}", log.lines());
    log.lines()
}

#[test]
fn below_it_is_around_the_body() {
    let lines = log_of(async { below(7).await.is_ok_and(|n| n == 7) });
    assert_eq!(
        lines,
        ["opened in nothing", "below_with(n)", "body in below_with"]
    );
}

#[test]
fn above_it_is_around_the_body_under_the_functions_name() {
    let lines = log_of(async { above(7).await.is_ok_and(|n| n == 7) });
    assert_eq!(lines, ["opened in nothing", "above(n)", "body in above"]);
}

#[test]
fn what_is_around_the_call_has_the_lease_in_it() {
    let lines = log_of(async { around(7).await.is_ok_and(|n| n == 7) });
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

#[test]
fn its_arguments_are_kept() {
    let lines = log_of(async { failing(7).await.is_err() });
    assert_eq!(
        lines,
        ["opened in nothing", "named(twice)", "error in named"]
    );
}

#[test]
fn the_database_is_a_parameter_as_any_other() {
    let lines = log_of(async {
        let pool = SqlitePool::connect_lazy("sqlite::memory:");
        let Ok(pool) = pool else { return false };
        recording(&pool).await.is_ok()
    });
    assert_eq!(lines, ["opened in nothing", "recording_with(pool, db)"]);
}
