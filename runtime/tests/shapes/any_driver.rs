//! Each form of the parameter with `AnyConnection`, whose URL selects the database.

use reuse_db::reuse_db;
use sqlx::{Any, AnyConnection, AnyPool, Transaction};

use crate::{MEMORY, counts, one_connection};

#[reuse_db(source = MEMORY)]
async fn connection(db: &mut AnyConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from notes")
        .fetch_one(db)
        .await
}

#[reuse_db(source = MEMORY)]
async fn transaction(tx: &mut Transaction<'_, Any>) -> Result<(), sqlx::Error> {
    sqlx::query("insert into notes values ('a')")
        .execute(&mut **tx)
        .await?;
    Ok(())
}

#[reuse_db(source = MEMORY.max_connections(1))]
async fn pool(pool: &AnyPool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select count(*) from notes")
        .fetch_one(pool)
        .await
}

#[tokio::test]
async fn every_form_works_with_any_database() {
    transaction().await.expect("an end");
    assert_eq!(connection().await.expect("a number"), 1);
    assert_eq!(pool().await.expect("a number"), 0, "a database of its own");
    assert_eq!(counts(TRANSACTION_TX.stats()), one_connection(1));
    assert_eq!(
        (CONNECTION_DB.stats().opened, CONNECTION_DB.stats().reused),
        (0, 1)
    );
    assert_eq!(counts(POOL_POOL.stats()), one_connection(1));
}
