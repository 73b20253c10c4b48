//! PgBouncer in front of PostgreSQL. rust-postgres 959, 1202: "prepared statement s0 already
//! exists".

use lambda_bench::lambda::{Event, Sandbox};
use lambda_bench::servers::{PgBouncer, Postgres};

use super::{CLIENTS, of_user, sandbox};

/// The invocations of each sandbox.
const ROUNDS: usize = 15;

/// Invokes a sandbox that reads its own mark. Returns the errors.
async fn mark(sandbox: &Sandbox, path: &str, mark: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let steps = format!("row select '{mark}'\ntypes select 'good'::mood\nrow select '{mark}'");
    let wanted = format!("{mark},mood,{mark}");
    for _ in 0..ROUNDS {
        let answer = sandbox.invoke(Event::post(path, &steps)).await;
        match &answer.outcome {
            lambda_bench::lambda::Outcome::Failed(error) => errors.push(error.message.clone()),
            _ => assert_eq!(answer.ok().text(), wanted),
        }
    }
    errors
}

async fn with_type() -> Postgres {
    let postgres = Postgres::start().await;
    sqlx::raw_sql("create type mood as enum ('good')")
        .execute(&mut of_user(&postgres).await)
        .await
        .expect("a type");
    postgres
}

#[tokio::test]
async fn transactions_stay_apart_if_the_pooler_renames_statements() {
    let postgres = with_type().await;
    let bouncer = PgBouncer::builder().newer();
    let bouncer = bouncer.setting("default_pool_size", "2");
    let bouncer = bouncer.start(&postgres).await;
    for path in ["/transaction?how=pooled", "/transaction"] {
        let url = bouncer.url();
        let (one, two, three) = tokio::join!(sandbox(&url), sandbox(&url), sandbox(&url));
        let errors = tokio::join!(
            mark(&one, path, "one"),
            mark(&two, path, "two"),
            mark(&three, path, "three")
        );
        assert_eq!(errors, (vec![], vec![], vec![]), "{path}");
    }
}

#[tokio::test]
async fn a_pooler_that_passes_names_is_refused() {
    let postgres = with_type().await;
    let bouncer = PgBouncer::builder()
        .setting("default_pool_size", "2")
        .start(&postgres)
        .await;
    for path in ["/transaction?how=pooled", "/transaction"] {
        let sandbox = sandbox(&bouncer.url()).await;
        let errors = mark(&sandbox, path, "one").await;
        assert_eq!(errors.len(), ROUNDS, "{path}: {errors:?}");
        let says = |error: &String| error.contains("`max_prepared_statements`");
        assert!(errors.iter().all(says), "{path}: {errors:?}");
    }
}

#[tokio::test]
async fn a_client_outside_a_transaction_is_refused() {
    let postgres = with_type().await;
    let bouncer = PgBouncer::builder().newer().start(&postgres).await;
    for path in CLIENTS {
        let sandbox = sandbox(&bouncer.url()).await;
        let answer = sandbox.invoke(Event::post(path, "query select 1")).await;
        let error = format!("{:?}", answer.error());
        assert!(error.contains("take `&mut Transaction"), "{path}: {error}");
    }
}
