//! Annotated functions that are called from other code, and from each other.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use reuse_db::{Error, reuse_db};
use sqlx::{Connection as _, Sqlite, SqliteConnection, Transaction};
use tokio::time::timeout;

use super::{MEMORY, counts};

/// A bare job.
#[tokio::test]
async fn a_job_called_from_other_code() {
    #[reuse_db(source = MEMORY)]
    async fn job(number: i64, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar("select 2 * $1")
            .bind(number)
            .fetch_one(db)
            .await
    }

    for number in 0..5 {
        assert_eq!(job(number).await.expect("twice"), 2 * number);
    }
    assert_eq!(counts(JOB_DB.stats()), (1, 4, 0));

    // With a connection, and with a transaction, of the caller's own.
    let mut db = SqliteConnection::connect("sqlite::memory:")
        .await
        .expect("a connection");
    assert_eq!(job_with(21, &mut db).await.expect("twice"), 42);
    let mut tx = db.begin().await.expect("a transaction");
    assert_eq!(job_with(22, &mut tx).await.expect("twice"), 44);
    assert_eq!(JOB_DB.stats().reused, 4);

    // It is a function like others: its future is Send, and it can be pointed to.
    let task = tokio::spawn(job(8));
    assert_eq!(task.await.expect("no panic").expect("twice"), 16);
    type Job = fn(i64) -> Pin<Box<dyn Future<Output = Result<i64, sqlx::Error>> + Send>>;
    let pointer: Job = |number| Box::pin(job(number));
    assert_eq!(pointer(9).await.expect("twice"), 18);
}

/// Each level holds a connection of its own, none waits for another, and all are kept for the next time.
#[tokio::test]
async fn nested_leases_do_not_wait_for_each_other() {
    #[reuse_db(source = MEMORY)]
    async fn inner(tx: &mut Transaction<'_, Sqlite>) -> Result<i64, Error> {
        let one = sqlx::query_scalar("select 1").fetch_one(&mut **tx).await;
        one.map_err(Error::unsound)
    }
    #[reuse_db(source = MEMORY)]
    async fn middle(#[db] tx: &mut Transaction<'_, Sqlite>, more: i64) -> Result<i64, sqlx::Error> {
        let sum = sqlx::query_scalar("select $1 + $2")
            .bind(inner().await?)
            .bind(more);
        sum.fetch_one(&mut **tx).await
    }
    #[reuse_db(source = MEMORY)]
    async fn outer(db: &mut SqliteConnection) -> Result<i64, anyhow::Error> {
        let before: i64 = sqlx::query_scalar("select 10").fetch_one(&mut *db).await?;
        let sum = sqlx::query_scalar("select $1 + $2")
            .bind(before)
            .bind(middle(100).await?);
        Ok(sum.fetch_one(db).await?)
    }

    for _ in 0..3 {
        let sum = timeout(Duration::from_secs(60), outer())
            .await
            .expect("no deadlock");
        assert_eq!(sum.expect("a sum"), 111);
    }
    let opened = [OUTER_DB.stats(), MIDDLE_TX.stats(), INNER_TX.stats()].map(|stats| stats.opened);
    assert_eq!(opened.iter().sum::<u64>(), 3, "{opened:?}");
}

/// A limit that is too small for nested calls is an error, in time, that says so.
#[tokio::test]
async fn nested_leases_above_the_limit_are_refused() {
    const ONE: reuse_db::Source = MEMORY
        .max_connections(1)
        .connect_timeout(Duration::from_millis(100));
    #[reuse_db(source = ONE)]
    async fn inner(_db: &mut SqliteConnection) -> Result<(), Error> {
        Ok(())
    }
    #[reuse_db(source = ONE)]
    async fn outer(_db: &mut SqliteConnection) -> Result<(), Error> {
        inner().await
    }

    let error = outer().await.expect_err("one connection").to_string();
    assert!(error.contains("max_connections"), "{error}");
    inner().await.expect("a connection");
    assert_eq!(
        INNER_DB.stats().opened + OUTER_DB.stats().opened,
        1 + OUTER_DB.stats().discarded
    );
}

#[tokio::test]
async fn a_function_that_calls_itself() {
    #[reuse_db(source = MEMORY)]
    async fn depth(left: u8, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
        let below = match left {
            0 => 0,
            left => Box::pin(depth(left - 1)).await?,
        };
        sqlx::query_scalar("select $1 + 1")
            .bind(below)
            .fetch_one(db)
            .await
    }

    assert_eq!(depth(4).await.expect("a depth"), 5);
    assert_eq!(depth(4).await.expect("a depth"), 5);
    assert_eq!(counts(DEPTH_DB.stats()), (5, 5, 0));
}

#[tokio::test]
async fn many_at_once() {
    #[reuse_db(source = MEMORY)]
    async fn job(number: i64, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar("select $1")
            .bind(number)
            .fetch_one(db)
            .await
    }

    let tasks: Vec<_> = (0..100).map(|number| tokio::spawn(job(number))).collect();
    for (number, task) in (0..).zip(tasks) {
        assert_eq!(task.await.expect("no panic").expect("a number"), number);
    }
    let stats = JOB_DB.stats();
    assert_eq!((stats.opened + stats.reused, stats.refused), (100, 0));
    assert!(stats.opened <= 10, "{stats:?}");
}

/// Rule 4: whoever did not end well takes the connection along.
#[tokio::test]
async fn cut_off_or_panicking_it_leaves_no_connection() {
    #[reuse_db(source = MEMORY)]
    async fn end(how: &str, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
        let one = sqlx::query_scalar("select 1").fetch_one(&mut *db).await?;
        match how {
            "never" => std::future::pending().await,
            "panic" => panic!("the handler panics"),
            _ => Ok(one),
        }
    }

    for (round, how) in (1..).zip(["never", "panic", "never", "panic"]) {
        let task = tokio::spawn(async move { timeout(Duration::from_millis(20), end(how)).await });
        let is_cut_off = matches!(task.await, Ok(Err(_)));
        assert_eq!(is_cut_off, how == "never");
        assert_eq!(END_DB.stats().discarded, round);
        assert_eq!(end("well").await.expect("a connection"), 1);
    }
    assert_eq!(counts(END_DB.stats()), (5, 3, 4));
}

/// `?` and `return` leave the function with the body, and not the giving back.
#[tokio::test]
async fn early_returns() {
    #[reuse_db(source = MEMORY)]
    async fn first(texts: &[&str], db: &mut SqliteConnection) -> Result<i64, anyhow::Error> {
        for text in texts {
            let number = match text.parse::<i64>() {
                Ok(number) => number,
                Err(error) if *text == "!" => return Err(error.into()),
                Err(_) => continue,
            };
            if number > 0 {
                return Ok(sqlx::query_scalar("select -$1")
                    .bind(number)
                    .fetch_one(db)
                    .await?);
            }
            let _: i64 = sqlx::query_scalar("select $1")
                .bind(number)
                .fetch_one(&mut *db)
                .await?;
        }
        let none = texts.first();
        none.map(|_| 0).ok_or_else(|| anyhow::anyhow!("no number"))
    }

    assert_eq!(first(&["x", "0", "7", "!"]).await.expect("a number"), -7);
    assert_eq!(first(&["x", "0"]).await.expect("none is found"), 0);
    first(&["0", "!"]).await.expect_err("no number");
    first(&[]).await.expect_err("no number");
    assert_eq!(first(&["1"]).await.expect("a number"), -1);
    assert_eq!(counts(FIRST_DB.stats()), (1, 4, 0));
}
