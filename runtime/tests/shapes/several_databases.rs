//! Handlers with several databases.

use reuse_db::{Source, reuse_db};
use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};

use crate::{Counts, MEMORY, NOWHERE, counts, one_connection};

const KEPT: Source = MEMORY.keep(3);

async fn write(text: &str, db: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("insert into notes values (?)")
        .bind(text)
        .execute(db)
        .await?;
    Ok(())
}

async fn read(db: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("select text from notes order by rowid")
        .fetch_all(db)
        .await
}

#[reuse_db(source = KEPT)]
async fn around(
    #[db] first: &mut SqliteConnection,
    text: &str,
    #[db] last: &mut SqliteConnection,
) -> Result<[usize; 2], sqlx::Error> {
    write(text, first).await?;
    Ok([read(first).await?.len(), read(last).await?.len()])
}

#[tokio::test]
async fn two_parameters_have_two_connections_of_one_pool() {
    assert_eq!(around("a").await.expect("two numbers"), [1, 0]);
    for _ in 0..3 {
        around("b").await.expect("two numbers");
    }
    assert_eq!(
        (counts(AROUND_FIRST.stats()), counts(AROUND_LAST.stats())),
        (one_connection(4), one_connection(4))
    );
}

#[reuse_db(source = KEPT)]
async fn before(#[db] db: &mut SqliteConnection, a: i64, b: i64) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select ? - ?")
        .bind(a)
        .bind(b)
        .fetch_one(db)
        .await
}

#[reuse_db(source = KEPT)]
async fn between(a: i64, #[db] db: &mut SqliteConnection, b: i64) -> Result<i64, sqlx::Error> {
    before_with(db, a, b).await
}

#[reuse_db(source = KEPT)]
async fn after(a: i64, b: i64, #[db()] db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    before_with(db, a, b).await
}

#[tokio::test]
async fn a_mark_can_be_on_any_parameter() {
    let differences = [before(5, 3).await, between(5, 3).await, after(5, 3).await];
    assert!(
        differences
            .into_iter()
            .all(|difference| difference.is_ok_and(|it| it == 2))
    );
    let all = [BEFORE_DB.stats(), BETWEEN_DB.stats(), AFTER_DB.stats()]
        .map(|stats| (stats.opened, stats.reused));
    assert_eq!(all, [(1, 0), (0, 1), (0, 1)]);
}

/// A transaction, a connection and a pool.
#[reuse_db(source = KEPT)]
async fn all_kinds(
    #[db] tx: &mut Transaction<'_, Sqlite>,
    fail: bool,
    #[db] db: &mut SqliteConnection,
    #[db(source = MEMORY.max_connections(1))] pool: &SqlitePool,
) -> Result<usize, sqlx::Error> {
    write("in a transaction", tx).await?;
    write("for itself", db).await?;
    sqlx::query("insert into notes values ('in a pool')")
        .execute(pool)
        .await?;
    if fail {
        return Err(sqlx::Error::RowNotFound);
    }
    sqlx::query("select text from notes")
        .fetch_all(pool)
        .await
        .map(|rows| rows.len())
}

#[reuse_db(source = KEPT)]
async fn both(
    #[db] a: &mut SqliteConnection,
    #[db] b: &mut SqliteConnection,
) -> Result<Vec<String>, sqlx::Error> {
    let mut texts = read(a).await?;
    texts.extend(read(b).await?);
    texts.sort();
    Ok(texts)
}

#[tokio::test]
async fn each_database_ends_as_its_form_requires() {
    all_kinds(true).await.expect_err("as requested");
    assert_eq!(
        both().await.expect("texts"),
        ["for itself"],
        "the transaction is rolled back"
    );
    assert_eq!(
        all_kinds(false).await.expect("a number"),
        2,
        "the pool is the same"
    );
    let texts = both().await.expect("texts");
    assert_eq!(texts, ["for itself", "for itself", "in a transaction"]);
    let opened = [
        ALL_KINDS_TX.stats(),
        ALL_KINDS_DB.stats(),
        ALL_KINDS_POOL.stats(),
    ]
    .map(|stats| stats.opened);
    assert_eq!(opened, [1, 1, 1]);
}

#[reuse_db(source = MEMORY)]
async fn half(
    #[db] _: &mut Transaction<'_, Sqlite>,
    #[db(source = NOWHERE, name = HALF_NOWHERE)] _: &mut SqliteConnection,
) -> Result<(), sqlx::Error> {
    Ok(())
}

#[tokio::test]
async fn an_unavailable_database_leaves_the_other_one_reusable() {
    for times in 1..=3 {
        half().await.expect_err("there is no second one");
        assert_eq!(counts(HALF_DB.stats()), one_connection(times));
        assert_eq!(
            counts(HALF_NOWHERE.stats()),
            Counts {
                unavailable: times,
                ..Counts::default()
            }
        );
    }
}
