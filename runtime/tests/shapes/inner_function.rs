//! The inner function `…_with`, called with a database of the test.

use reuse_db::reuse_db;
use sqlx::{Connection as _, Sqlite, SqliteConnection, SqlitePool, Transaction};

use crate::{Counts, MEMORY, counts};

const TABLE: &str = "create table notes (text text not null)";

#[reuse_db(source = MEMORY)]
async fn add(text: &str, db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query("insert into notes values (?)")
        .bind(text)
        .execute(&mut *db)
        .await?;
    sqlx::query_scalar("select count(*) from notes")
        .fetch_one(db)
        .await
}

#[reuse_db(source = MEMORY)]
async fn add_two(tx: &mut Transaction<'_, Sqlite>) -> Result<i64, sqlx::Error> {
    add_with("one", tx).await?;
    add_with("two", &mut *tx).await
}

#[reuse_db(source = MEMORY)]
async fn count(pool: &SqlitePool, #[db] _: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from notes")
        .fetch_one(pool)
        .await
}

#[tokio::test]
async fn it_takes_a_connection_or_a_transaction() {
    let mut db = SqliteConnection::connect("sqlite::memory:")
        .await
        .expect("a connection");
    sqlx::raw_sql(TABLE)
        .execute(&mut db)
        .await
        .expect("a table");
    assert_eq!(add_with("a", &mut db).await.expect("a number"), 1);

    let mut tx = db.begin().await.expect("a transaction");
    assert_eq!(add_with("b", &mut tx).await.expect("a number"), 2);
    assert_eq!(add_two_with(&mut tx).await.expect("a number"), 4);
    // The function does not end the test's transaction.
    tx.rollback().await.expect("an end");
    assert_eq!(add_with("c", &mut db).await.expect("a number"), 2);

    assert_eq!(
        [ADD_DB.stats(), ADD_TWO_TX.stats()].map(counts),
        [Counts::default(), Counts::default()]
    );
    assert_eq!(add("d").await.expect("a number"), 1, "another database");
    assert_eq!(add_two().await.expect("a number"), 3);
}

#[tokio::test]
async fn it_takes_a_connection_of_a_pool() {
    let pool = SqlitePool::connect("sqlite::memory:")
        .await
        .expect("a pool");
    sqlx::raw_sql(TABLE).execute(&pool).await.expect("a table");
    let mut connection = pool.acquire().await.expect("a connection");
    assert_eq!(add_with("a", &mut connection).await.expect("a number"), 1);
    let mut tx = connection.begin().await.expect("a transaction");
    assert_eq!(add_two_with(&mut tx).await.expect("a number"), 3);
    tx.commit().await.expect("an end");
    assert_eq!(
        count_with(&pool, &mut connection).await.expect("a number"),
        3
    );
    assert_eq!(counts(COUNT_DB.stats()), Counts::default());
    // The pool without a mark is an argument of the outer function.
    assert_eq!(count(&pool).await.expect("a number"), 3);
    assert_eq!(COUNT_DB.stats().opened, 1);
}
