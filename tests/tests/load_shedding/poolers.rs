//! Behind a pooler or proxy, which multiplexes by itself, nothing is asked.

use lambda_bench::lambda::{Event, Sandbox};
use lambda_bench::servers::{PgBouncer, Postgres};
use reuse_db_tests::function::program;

use crate::Stats;

/// The words of a load query, and of what it may set.
const OURS: [&str; 2] = ["pg_stat_get_backend_idset", "set_config"];

async fn sandbox(url: String, source: &str) -> Sandbox {
    let sandbox = Sandbox::builder(program("field_function"))
        .env("DATABASE_URL", url)
        .env("SOURCE", source);
    sandbox.start().await
}

/// Runs a function behind a pooler whose server is above the share.
async fn nothing_is_asked(settings: &[(&str, &str)], source: &str, form: &str) {
    let postgres = Postgres::builder()
        .setting("max_connections", "9")
        .setting("log_statement", "all")
        .start()
        .await;
    let mut builder = PgBouncer::builder();
    for (name, value) in [("default_pool_size", "5"), ("min_pool_size", "5")]
        .iter()
        .chain(settings)
    {
        builder = builder.setting(name, value);
    }
    let bouncer = builder.start(&postgres).await;
    let sandbox = sandbox(bouncer.url(), source).await;
    let mut last = None;
    for _ in 0..5 {
        let answer = sandbox
            .invoke(Event::post(form, "raw select 'own words'"))
            .await;
        last = Some(Stats(answer.ok().json()["stats"].clone()));
        sandbox.frozen().await;
    }
    let stats = last.expect("an answer");
    let counted = (stats.get("opened"), stats.get("shed"));
    assert_eq!(counted, (1, 0), "{stats:?}");
    let log = postgres.log();
    assert_eq!(log.matches("own words").count(), 5, "{log}");
    for sql in OURS {
        assert!(!log.contains(sql), "{sql}: {log}");
    }
}

#[tokio::test]
async fn a_declared_transaction_pooler_is_not_asked() {
    nothing_is_asked(&[], "pooler", "/tx").await;
}

#[tokio::test]
async fn a_declared_session_pooler_is_not_asked() {
    for form in ["/conn", "/tx", "/pool"] {
        nothing_is_asked(&[("pool_mode", "session")], "session_pooler", form).await;
    }
}

#[tokio::test]
async fn a_pooler_that_rejected_start_up_parameters_is_not_asked() {
    for form in ["/tx", "/lease-tx"] {
        nothing_is_asked(&[], "plain", form).await;
    }
}

#[tokio::test]
async fn a_pooler_that_drops_start_up_parameters_is_not_asked() {
    let dropped = ("ignore_startup_parameters", "options, extra_float_digits");
    for form in ["/tx", "/conn", "/pool"] {
        nothing_is_asked(&[dropped], "plain", form).await;
    }
}
