//! The callers of a handler.

use std::pin::Pin;

use reuse_db::reuse_db;
use sqlx::SqliteConnection;
use tokio::task::JoinSet;

use crate::{Counts, MEMORY, counts, one_connection};

#[reuse_db(source = MEMORY)]
async fn double(n: i64, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select ? * 2")
        .bind(n)
        .fetch_one(db)
        .await
}

#[tokio::test]
async fn a_handler_is_called_like_any_function() {
    for n in 0..4 {
        assert_eq!(double(n).await.expect("a number"), n * 2);
    }
    assert_eq!(counts(DOUBLE_DB.stats()), one_connection(4));
}

#[reuse_db(source = MEMORY)]
async fn negate(n: i64, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select -?").bind(n).fetch_one(db).await
}

type Job = fn(i64) -> Pin<Box<dyn Future<Output = Result<i64, sqlx::Error>> + Send>>;

#[tokio::test]
async fn a_handler_coerces_to_a_function_pointer() {
    let job: Job = |n| Box::pin(negate(n));
    let jobs: Vec<(Job, i64)> = vec![(job, 1), (job, 2)];
    for (job, n) in jobs {
        assert_eq!(job(n).await.expect("a number"), -n);
    }
    let pointer: fn(i64) -> _ = negate;
    assert_eq!(pointer(3).await.expect("a number"), -3);
    assert_eq!(counts(NEGATE_DB.stats()), one_connection(3));
}

#[reuse_db(source = MEMORY)]
async fn square(n: i64, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select ?1 * ?1")
        .bind(n)
        .fetch_one(db)
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_runs_in_spawned_tasks() {
    let mut tasks = JoinSet::new();
    for n in 0..20 {
        tasks.spawn(async move { square(n).await.is_ok_and(|square| square == n * n) });
    }
    assert!(tasks.join_all().await.into_iter().all(|is_right| is_right));
    let stats = SQUARE_DB.stats();
    assert_eq!(
        (
            stats.opened + stats.reused,
            stats.discarded,
            stats.unavailable
        ),
        (20, 0, 0)
    );
}

/// Leases one connection for each level of the recursion.
#[reuse_db(source = MEMORY.keep(5))]
async fn factorial(n: i64, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    if n == 0 {
        return Ok(1);
    }
    let rest = Box::pin(factorial(n - 1)).await?;
    sqlx::query_scalar("select ? * ?")
        .bind(n)
        .bind(rest)
        .fetch_one(db)
        .await
}

#[tokio::test]
async fn a_handler_calls_itself() {
    for times in 1..=3 {
        assert_eq!(factorial(4).await.expect("a number"), 24);
        let counted = Counts {
            opened: 5,
            reused: (times - 1) * 5,
            ..Counts::default()
        };
        assert_eq!(counts(FACTORIAL_DB.stats()), counted);
    }
}

#[tokio::test]
async fn a_handler_is_declared_in_a_function_body() {
    struct Local(i64);

    #[reuse_db(source = MEMORY.keep(2))]
    async fn local(Local(n): Local, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
        #[reuse_db(source = MEMORY.keep(2))]
        async fn local(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
            sqlx::query_scalar("select 1").fetch_one(db).await
        }
        let inner = local().await?;
        sqlx::query_scalar("select ? + ?")
            .bind(n)
            .bind(inner)
            .fetch_one(db)
            .await
    }

    for _ in 0..2 {
        assert_eq!(local(Local(6)).await.expect("a number"), 7);
    }
    assert_eq!(counts(LOCAL_DB.stats()), one_connection(2));
}
