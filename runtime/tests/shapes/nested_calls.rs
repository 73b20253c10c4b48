//! Handlers that call handlers. Each has its own connection, and none waits forever.

use std::time::Duration;

use reuse_db::{Error, ErrorKind, Source, reuse_db};
use sqlx::{Sqlite, SqliteConnection, Transaction};

use crate::{Counts, MEMORY, counts};

/// Keeps every connection, so that the counts do not depend on when a connection is closed.
const KEPT: Source = MEMORY.keep(4);

fn opened(opened: u64) -> Counts {
    Counts {
        opened,
        ..Counts::default()
    }
}

fn reused(opened: u64, reused: u64) -> Counts {
    Counts {
        opened,
        reused,
        ..Counts::default()
    }
}

#[reuse_db(source = KEPT)]
async fn notes(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from notes")
        .fetch_one(db)
        .await
}

#[reuse_db(source = KEPT)]
async fn note_and_count(db: &mut SqliteConnection) -> Result<(i64, i64), sqlx::Error> {
    sqlx::query("insert into notes values ('mine')")
        .execute(&mut *db)
        .await?;
    let theirs = notes().await?;
    Ok((notes_with(db).await?, theirs))
}

#[tokio::test]
async fn a_nested_call_has_its_own_connection() {
    assert_eq!(
        note_and_count().await.expect("two numbers"),
        (1, 0),
        "two connections"
    );
    assert_eq!(
        (counts(NOTE_AND_COUNT_DB.stats()), counts(NOTES_DB.stats())),
        (opened(1), opened(1))
    );
    for _ in 0..3 {
        note_and_count().await.expect("two numbers");
    }
    assert_eq!(
        (counts(NOTE_AND_COUNT_DB.stats()), counts(NOTES_DB.stats())),
        (reused(1, 3), reused(1, 3))
    );
}

#[reuse_db(source = KEPT)]
async fn write(text: &str, tx: &mut Transaction<'_, Sqlite>) -> Result<(), sqlx::Error> {
    sqlx::query("insert into notes values (?)")
        .bind(text)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

#[reuse_db(source = KEPT)]
async fn write_twice(tx: &mut Transaction<'_, Sqlite>) -> Result<(), sqlx::Error> {
    write_with("outer", tx).await?;
    write("inner").await?;
    Err(sqlx::Error::RowNotFound)
}

#[reuse_db(source = KEPT)]
async fn texts(
    #[db] a: &mut SqliteConnection,
    #[db] b: &mut SqliteConnection,
) -> Result<Vec<String>, sqlx::Error> {
    let mut texts = Vec::new();
    for db in [a, b] {
        texts.extend(
            sqlx::query_scalar::<_, String>("select text from notes")
                .fetch_all(db)
                .await?,
        );
    }
    Ok(texts)
}

#[tokio::test]
async fn a_nested_transaction_commits_although_the_outer_one_rolls_back() {
    write_twice().await.expect_err("its own");
    assert_eq!(
        (counts(WRITE_TWICE_TX.stats()), counts(WRITE_TX.stats())),
        (opened(1), opened(1))
    );
    assert_eq!(texts().await.expect("texts"), ["inner"]);
    assert_eq!(
        counts(TEXTS_A.stats()).opened + counts(TEXTS_B.stats()).opened,
        0
    );
}

#[reuse_db(source = KEPT)]
async fn bottom(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select 1").fetch_one(db).await
}

#[reuse_db(source = KEPT)]
async fn middle(tx: &mut Transaction<'_, Sqlite>) -> Result<i64, sqlx::Error> {
    let below = bottom().await?;
    sqlx::query_scalar("select 10 + ?")
        .bind(below)
        .fetch_one(&mut **tx)
        .await
}

#[reuse_db(source = KEPT)]
async fn top(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let (below, again) = (middle().await?, bottom().await?);
    sqlx::query_scalar("select 100 + ? + ?")
        .bind(below)
        .bind(again)
        .fetch_one(db)
        .await
}

#[tokio::test]
async fn calls_are_nested_three_deep() {
    for times in 0..3 {
        assert_eq!(top().await.expect("a number"), 112);
        assert_eq!(counts(TOP_DB.stats()), reused(1, times));
        assert_eq!(counts(MIDDLE_TX.stats()), reused(1, times));
        assert_eq!(counts(BOTTOM_DB.stats()), reused(1, times * 2 + 1));
    }
}

const ONE: Source = MEMORY
    .max_connections(1)
    .connect_timeout(Duration::from_millis(50));

#[reuse_db(source = ONE)]
async fn inner(db: &mut SqliteConnection) -> Result<i64, Error> {
    Ok(sqlx::query_scalar("select 1").fetch_one(db).await?)
}

#[reuse_db(source = ONE)]
async fn outer(db: &mut SqliteConnection) -> Result<Option<ErrorKind>, Error> {
    let kind = inner().await.err().and_then(|error| error.kind());
    sqlx::query("select 1").execute(db).await?;
    Ok(kind)
}

#[tokio::test]
async fn a_nested_call_beyond_max_connections_fails_in_time() {
    for unavailable in 1..=2 {
        assert_eq!(
            outer().await.expect("the outer call continues"),
            Some(ErrorKind::Saturated)
        );
        assert_eq!(
            counts(INNER_DB.stats()),
            Counts {
                unavailable,
                ..Counts::default()
            }
        );
    }
    assert_eq!(inner().await.expect("a number"), 1);
    assert_eq!(counts(OUTER_DB.stats()), reused(1, 1));
}
