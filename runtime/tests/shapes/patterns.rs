//! The patterns of the parameters.

use reuse_db::{Source, reuse_db};
use sqlx::{Connection as _, Sqlite, SqliteConnection, SqlitePool, Transaction};

use crate::{MEMORY, counts, one_connection};

struct Point {
    x: i64,
    y: (i64, [i64; 3]),
}

struct Wrapped<T>(T);

#[expect(clippy::too_many_arguments, reason = "one for each pattern")]
#[reuse_db(source = MEMORY)]
async fn sum(
    Point {
        x,
        y: (y, [first, .., last]),
    }: Point,
    Wrapped(Wrapped(wrapped)): Wrapped<Wrapped<i64>>,
    &borrowed: &i64,
    mut changed: i64,
    (_, ref by_reference): (u8, i64),
    _: &str,
    _unused: u8,
    all @ (one, _): (i64, i64),
    db: &mut SqliteConnection,
) -> Result<i64, sqlx::Error> {
    changed += 1;
    let sum = x + y + first + last + wrapped + borrowed + changed + by_reference + all.1 + one;
    sqlx::query_scalar("select ?").bind(sum).fetch_one(db).await
}

#[tokio::test]
async fn the_other_parameters_have_any_pattern() {
    let point = Point {
        x: 1,
        y: (10, [100, 7, 1_000]),
    };
    let sum = sum(
        point,
        Wrapped(Wrapped(10_000)),
        &100_000,
        999_999,
        (7, 10_000_000),
        "",
        0,
        (100_000_000, 1_000_000_000),
    );
    assert_eq!(sum.await.expect("a sum"), 1_111_111_111);
    assert_eq!(counts(SUM_DB.stats()), one_connection(1));
}

#[reuse_db(source = MEMORY)]
async fn mutable(mut db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let again = &mut db;
    sqlx::query_scalar("select 1").fetch_one(&mut **again).await
}

#[reuse_db(source = MEMORY)]
async fn unnamed(_: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    Ok(())
}

#[reuse_db(source = MEMORY)]
async fn underscored(__db: &mut Transaction<'_, Sqlite>) -> Result<(), sqlx::Error> {
    Ok(())
}

#[reuse_db(source = MEMORY)]
async fn bound(tx @ &mut _: &mut Transaction<'_, Sqlite>) -> Result<i64, sqlx::Error> {
    let mut savepoint = tx.begin().await?;
    let one = sqlx::query_scalar("select 1")
        .fetch_one(&mut *savepoint)
        .await?;
    savepoint.commit().await?;
    Ok(one)
}

/// A second connection would open a second database.
const POOL: Source = MEMORY.max_connections(1);

#[reuse_db(source = POOL)]
async fn mutable_pool(mut pool: SqlitePool) -> Result<i64, sqlx::Error> {
    let clone = pool.clone();
    pool = clone;
    sqlx::query_scalar("select 1").fetch_one(&pool).await
}

#[tokio::test]
async fn the_database_has_any_pattern() {
    assert_eq!(mutable().await.expect("a number"), 1);
    unnamed().await.expect("nothing");
    underscored().await.expect("nothing");
    assert_eq!(bound().await.expect("a number"), 1);
    assert_eq!(mutable_pool().await.expect("a number"), 1);
    assert_eq!(counts(MUTABLE_DB.stats()), one_connection(1));
    assert_eq!(
        [UNNAMED_DB.stats(), UNDERSCORED_DB.stats()].map(|stats| stats.reused),
        [1, 1]
    );
    assert_eq!(
        (BOUND_TX.stats().reused, MUTABLE_POOL_POOL.stats().opened),
        (1, 1)
    );
}
