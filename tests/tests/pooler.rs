//! PgBouncer in front of PostgreSQL: no client runs another's statement, whatever it writes.

#![expect(
    clippy::expect_used,
    reason = "a test fails by panicking, with a message"
)]

use std::time::Duration;

use lambda_bench::lambda::{Event, Outcome, Sandbox};
use lambda_bench::proxy::Proxy;
use lambda_bench::servers::{Engine, Installation, PgBouncer, PgBouncerBuilder, Postgres};
use reuse_db_tests::function::program;
use reuse_db_tests::function::server::Server as _;
use reuse_db_tests::statics::{exclusive, source};
use sqlx::{Any, Connection as _, PgConnection, Transaction};

/// The invocations of each sandbox.
const ROUNDS: usize = 15;

/// Starts a pooler of two sessions.
async fn with_two_sessions(postgres: &Postgres, settings: &[(&str, &str)]) -> PgBouncer {
    let mut builder = PgBouncer::builder().setting("default_pool_size", "2");
    for (name, value) in settings {
        builder = builder.setting(name, value);
    }
    builder.start(postgres).await
}

/// Starts a sandbox behind a pooler.
async fn sandbox(bouncer: &PgBouncer, source: &str) -> Sandbox {
    sandbox_at(bouncer.url(), source).await
}

async fn sandbox_at(url: String, source: &str) -> Sandbox {
    Sandbox::builder(program("field_function"))
        .env("DATABASE_URL", url)
        .env("SOURCE", source)
        .env("INIT", "log")
        .env("RUST_LOG", "reuse_db=debug")
        .timeout(Duration::from_secs(10))
        .start()
        .await
}

/// The answers of a sandbox.
#[derive(Debug, Default)]
struct Answers {
    right: usize,
    wrong: Vec<String>,
    refused: Vec<String>,
}

/// Invokes a sandbox that writes its mark into its own table and reads from that table.
async fn mark(sandbox: &Sandbox, path: &str, table: char) -> Answers {
    let script =
        format!("insert into {table} (v) values ('row of {table}')\nselect v from {table} limit 1");
    let mut answers = Answers::default();
    for _ in 0..ROUNDS {
        let answer = sandbox.invoke(Event::post(path, &script)).await;
        match &answer.outcome {
            Outcome::Http(http) if http.status == 200 => {
                let rows = answer.json()["rows"].to_string();
                if rows == format!("[\"row of {table}\"]") {
                    answers.right += 1;
                } else {
                    answers.wrong.push(rows);
                }
            }
            Outcome::Failed(error) => answers.refused.push(error.message.clone()),
            other => answers.wrong.push(format!("{other:?}")),
        }
    }
    answers
}

/// Runs four sandboxes with two tables at once, and checks each row that was read or written.
async fn marks_stay_apart(builder: PgBouncerBuilder) {
    let postgres = Postgres::start().await;
    let mut app = PgConnection::connect(&postgres.url())
        .await
        .expect("a connection");
    let tables = "create table a (v text); create table b (v text)";
    sqlx::raw_sql(tables)
        .execute(&mut app)
        .await
        .expect("tables");
    let bouncer = builder.setting("default_pool_size", "2");
    let bouncer = bouncer.start(&postgres).await;
    for source in ["pooler", "plain"] {
        for (form, persistent) in [
            ("tx", "yes"),
            ("tx", "no"),
            ("conn", "yes"),
            ("conn", "no"),
            ("pool", "yes"),
            ("pool", "no"),
        ] {
            let case = format!("{source} {form} persistent={persistent}");
            sqlx::raw_sql("truncate a, b")
                .execute(&mut app)
                .await
                .expect("empty tables");
            let path = format!("/{form}?persistent={persistent}");
            let sandboxes = tokio::join!(
                sandbox(&bouncer, source),
                sandbox(&bouncer, source),
                sandbox(&bouncer, source),
                sandbox(&bouncer, source)
            );
            let (one, two, three, four) = tokio::join!(
                mark(&sandboxes.0, &path, 'a'),
                mark(&sandboxes.1, &path, 'b'),
                mark(&sandboxes.2, &path, 'a'),
                mark(&sandboxes.3, &path, 'b')
            );
            for answers in [&one, &two, &three, &four] {
                assert!(answers.wrong.is_empty(), "{case}: {answers:?}");
                if form == "tx" {
                    assert_eq!(answers.right, ROUNDS, "{case}: {answers:?}");
                } else {
                    assert_eq!(answers.refused.len(), ROUNDS, "{case}: {answers:?}");
                    let says =
                        |error: &String| error.contains("take `&mut Transaction<'_, Postgres>`");
                    assert!(answers.refused.iter().all(says), "{case}: {answers:?}");
                }
            }
            for (table, told) in [
                ("a", one.right + three.right),
                ("b", two.right + four.right),
            ] {
                let stored = format!("select count(*) from {table} where v = 'row of {table}'");
                let all = format!("select count(*) from {table}");
                let told = i64::try_from(told).expect("a count");
                assert_eq!(postgres.number(&stored).await, told, "{case}");
                assert_eq!(postgres.number(&all).await, told, "{case}");
            }
        }
    }
}

/// PgBouncer 1.18 passes the names of prepared statements on.
#[tokio::test]
async fn no_client_runs_anothers_statement() {
    marks_stay_apart(PgBouncer::builder()).await;
}

/// PgBouncer 1.21 and later passes the names on with this setting.
#[tokio::test]
async fn no_client_runs_anothers_statement_if_a_newer_pooler_keeps_none() {
    let builder = PgBouncer::builder().newer();
    marks_stay_apart(builder.setting("max_prepared_statements", "0")).await;
}

/// PgBouncer 1.21 and later renames statements with this setting.
#[tokio::test]
async fn no_client_runs_anothers_statement_if_the_pooler_renames_them() {
    let builder = PgBouncer::builder().newer();
    marks_stay_apart(builder.setting("max_prepared_statements", "200")).await;
}

/// The round trips of a warm transaction of one statement, where the pooler renames statements and
/// where it passes their names on.
#[tokio::test]
async fn a_statement_stays_prepared_where_the_pooler_renames_it() {
    let postgres = Postgres::start().await;
    for (setting, expected) in [("200", 3), ("0", 4)] {
        let builder = PgBouncer::builder().newer();
        let bouncer = builder.setting("max_prepared_statements", setting);
        let bouncer = bouncer.start(&postgres).await;
        let proxy = Proxy::start(bouncer.addr()).await;
        let url = bouncer.url().replace(
            &bouncer.addr().port().to_string(),
            &proxy.port().to_string(),
        );
        let sandbox = sandbox_at(url, "pooler").await;
        for round in 0..4 {
            proxy.delay(Duration::from_millis(20 * u64::from(round == 3)));
            let before = proxy.counts();
            sandbox.invoke(Event::post("/tx", "select 'a'")).await.ok();
            let counted = (proxy.counts() - before).round_trips;
            assert!(round < 3 || counted == expected, "{setting}: {counted}");
            sandbox.frozen().await;
        }
    }
}

#[tokio::test]
async fn a_session_pooler_serves_connections_and_pools() {
    let postgres = Postgres::start().await;
    let bouncer = with_two_sessions(&postgres, &[("pool_mode", "session")]).await;
    let sandbox = sandbox(&bouncer, "session_pooler").await;
    for _ in 0..3 {
        for form in ["/conn", "/tx"] {
            let answer = sandbox.invoke(Event::post(form, "select 'a'")).await;
            assert_eq!(answer.ok().json()["rows"][0], "a", "{form}");
        }
    }
    let answer = sandbox.invoke(Event::post("/pool", "select 'a'")).await;
    assert_eq!(answer.ok().json()["rows"][0], "a");
}

/// Nothing but the health check and the handler's own statements reaches the server.
#[tokio::test]
async fn a_proxy_that_rejected_start_up_parameters_is_not_reset() {
    let postgres = Postgres::builder()
        .setting("log_statement", "all")
        .start()
        .await;
    let bouncer = with_two_sessions(&postgres, &[]).await;
    let sandbox = sandbox(&bouncer, "plain").await;
    for end in ["fail", "500", "200", "fail"] {
        let event = Event::post(&format!("/tx?end={end}"), "select 'own words'");
        sandbox.invoke(event).await;
        sandbox.frozen().await;
    }
    let log = postgres.log();
    assert_eq!(log.matches("own words").count(), 4, "{log}");
    for sql in [
        "discard",
        "reset all",
        "advisory",
        "pg_settings",
        "pg_stat_activity",
    ] {
        assert!(!log.to_lowercase().contains(sql), "{sql}: {log}");
    }
}

/// The pooler accepts and drops our limits, also where the server has one of them by itself.
#[tokio::test]
async fn a_pooler_that_drops_start_up_parameters_is_noticed() {
    dropped_parameters_are_noticed(Postgres::start().await, "").await;
    let server = Postgres::builder().setting("idle_session_timeout", "300s");
    dropped_parameters_are_noticed(server.start().await, "").await;
    let in_url = "?options=-c%20idle_session_timeout%3D200s";
    dropped_parameters_are_noticed(Postgres::start().await, in_url).await;
}

async fn dropped_parameters_are_noticed(postgres: Postgres, parameters: &str) {
    let dropped = ("ignore_startup_parameters", "options, extra_float_digits");
    let bouncer = with_two_sessions(&postgres, &[dropped]).await;
    let sandbox = sandbox_at(bouncer.url() + parameters, "plain").await;
    for _ in 0..4 {
        let answer = sandbox.invoke(Event::post("/tx", "select 'a'")).await;
        assert_eq!(answer.ok().json()["rows"][0], "a");
        sandbox.frozen().await;
    }
    let output = sandbox.output();
    assert_eq!(output.matches("pooler not declared").count(), 1, "{output}");
}

/// sqlx cannot make an `AnyConnection` forget its prepared statements.
#[tokio::test]
async fn a_transaction_of_any_is_refused_where_statements_may_be_anothers() {
    let postgres = Postgres::start().await;
    let mut settings = vec![("ignore_startup_parameters", "extra_float_digits")];
    if knows_prepared_statements() {
        settings.push(("max_prepared_statements", "0"));
    }
    let bouncer = with_two_sessions(&postgres, &settings).await;
    let pooler = source(bouncer.url()).transaction_pooler();
    let error = exclusive::<Transaction<'_, Any>>(pooler)
        .lease()
        .await
        .map(drop);
    let text = error.expect_err("it is refused").to_string();
    assert!(
        text.contains("take `&mut Transaction<'_, Postgres>`"),
        "{text}"
    );
    // Without PgBouncer's setting, the pooler rejects what sqlx sends.
    let bouncer = with_two_sessions(&postgres, &[]).await;
    let pooler = source(bouncer.url()).transaction_pooler();
    let error = exclusive::<Transaction<'_, Any>>(pooler)
        .lease()
        .await
        .map(drop);
    let text = error.expect_err("it is rejected").to_string();
    assert!(text.contains("extra_float_digits"), "{text}");
}

#[tokio::test]
async fn connections_of_a_restarted_pooler_are_replaced() {
    let postgres = Postgres::start().await;
    let bouncer = PgBouncer::start(&postgres).await;
    let sandbox = sandbox(&bouncer, "pooler").await;
    for opened in 1..=3 {
        let answer = sandbox.invoke(Event::post("/tx", "select 'a'")).await;
        assert_eq!(answer.ok().json()["stats"]["opened"], opened);
        sandbox.frozen().await;
        bouncer.stop().await;
        bouncer.start_again().await;
    }
}

/// The pooler prepares a text once in each session, for all clients.
#[tokio::test]
async fn a_changed_table_fails_few_transactions_behind_a_pooler() {
    let postgres = Postgres::start().await;
    let mut app = PgConnection::connect(&postgres.url())
        .await
        .expect("a connection");
    let table = "create table things (a int); insert into things values (1)";
    sqlx::raw_sql(table)
        .execute(&mut app)
        .await
        .expect("a table");
    for (n, setting) in ["200", "0"].into_iter().enumerate() {
        let builder = PgBouncer::builder()
            .newer()
            .setting("default_pool_size", "2");
        let bouncer = builder.setting("max_prepared_statements", setting);
        let bouncer = bouncer.start(&postgres).await;
        let mut sandboxes = Vec::new();
        for _ in 0..3 {
            sandboxes.push(sandbox(&bouncer, "pooler").await);
        }
        let mut outcomes = String::new();
        for round in 0..8 {
            if round == 2 {
                let change = format!("alter table things add column b{n} int");
                let change = sqlx::raw_sql(sqlx::AssertSqlSafe(change));
                change.execute(&mut app).await.expect("a change");
                sandboxes.push(sandbox(&bouncer, "pooler").await);
            }
            for sandbox in &sandboxes {
                let answer = sandbox
                    .invoke(Event::post("/tx", "select * from things"))
                    .await;
                sandbox.frozen().await;
                outcomes.push(match &answer.outcome {
                    Outcome::Http(_) => '.',
                    _ => 'x',
                });
            }
            outcomes.push(' ');
        }
        let failed = outcomes.matches('x').count();
        let most = if setting == "200" {
            2 * sandboxes.len()
        } else {
            0
        };
        assert!(
            failed <= most && outcomes.ends_with(".... .... .... "),
            "{setting}: {outcomes}"
        );
    }
}

/// The outcomes of statements on plain connections of sqlx.
#[derive(Debug, Default)]
struct Plain {
    right: usize,
    wrong: usize,
    errors: Vec<String>,
}

/// Runs statements on four plain connections of sqlx at once, outside transactions.
async fn plain_statements(bouncer: &PgBouncer, is_persistent: bool) -> Plain {
    let client = async |mark: char| {
        let mut db = PgConnection::connect(&bouncer.url())
            .await
            .expect("a connection");
        let mut answers = Vec::new();
        for round in 0..2 * ROUNDS {
            // Four texts, each of which later rounds repeat.
            let sql = format!("select '{mark}{} ' || $1::text", round % 4);
            let query = sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(sql));
            let query = query.persistent(is_persistent).bind(round.to_string());
            let right = format!("{mark}{} {round}", round % 4);
            answers.push(query.fetch_one(&mut db).await.map(|text| text == right));
        }
        answers
    };
    let (a, b, c, d) = tokio::join!(client('a'), client('b'), client('c'), client('d'));
    let mut outcomes = Plain::default();
    for answer in [a, b, c, d].into_iter().flatten() {
        match answer {
            Ok(true) => outcomes.right += 1,
            Ok(false) => outcomes.wrong += 1,
            Err(error) => outcomes.errors.push(error.to_string()),
        }
    }
    outcomes
}

/// reuse-db refuses `&mut PgConnection` there. The page about poolers says what sqlx alone does.
#[tokio::test]
async fn plain_statements_are_safe_only_where_the_pooler_renames_them() {
    let postgres = Postgres::start().await;
    let newer = |setting| {
        let builder = PgBouncer::builder().newer();
        builder.setting("max_prepared_statements", setting)
    };
    let mut builders = vec![(false, newer("0")), (true, newer("200"))];
    if !knows_prepared_statements() {
        builders.push((false, PgBouncer::builder()));
    }
    for (renames, builder) in builders {
        let builder = builder
            .setting("default_pool_size", "2")
            .setting("ignore_startup_parameters", "extra_float_digits");
        let bouncer = builder.start(&postgres).await;
        for is_persistent in [true, false] {
            let outcomes = plain_statements(&bouncer, is_persistent).await;
            let is_safe = outcomes.right == 4 * 2 * ROUNDS;
            assert_eq!(
                is_safe,
                renames && is_persistent,
                "{:?} {renames} {is_persistent}: {outcomes:?}",
                bouncer.installation()
            );
        }
    }
}

/// Returns `true` if the PgBouncer of the test run is of version 1.21 or later.
fn knows_prepared_statements() -> bool {
    let version = Installation::selected(&[Engine::PgBouncer]).version();
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(1), Some(21))
}
